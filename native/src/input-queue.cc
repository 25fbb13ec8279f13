#include "input-queue.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace homespin {

namespace {

std::string not_opened(const std::string& path) {
  return path + " can't be opened: " + std::strerror(errno);
}

}  // namespace

InputQueue::~InputQueue() { close(); }

std::string InputQueue::add_file(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0) {
    return not_opened(path);
  }
  if (S_ISDIR(status.st_mode)) return path + " is a folder, not a capture";
  inputs_.push_back({path, -1});
  return {};
}

std::string InputQueue::add_descriptor(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) {
    return "descriptor " + std::to_string(fd) + " can't be read: " + std::strerror(errno);
  }
  inputs_.push_back({{}, fd});
  return {};
}

bool InputQueue::next(std::vector<SourceFault>& faults) {
  close_current();
  while (next_ < inputs_.size()) {
    const Input& input = inputs_[next_++];
    // A named pipe must not hold up the thread until somebody writes to it.
    fd_ = input.path.empty() ? input.fd : open(input.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) {
      faults.push_back({static_cast<uint32_t>(next_ - 1), not_opened(input.path), {}});
      continue;
    }
    struct stat status;
    regular_ = fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
    if (regular_) posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
    return true;
  }
  return false;
}

void InputQueue::close() {
  close_current();
  for (; next_ < inputs_.size(); next_++) {
    if (inputs_[next_].fd >= 0) ::close(inputs_[next_].fd);
  }
}

void InputQueue::close_current() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void InputQueue::note(const CaptureFile& file, const std::string& error,
                      std::vector<SourceFault>& faults) const {
  if (error.empty() && file.unsupported_links().empty()) return;
  faults.push_back({static_cast<uint32_t>(next_ - 1), error, file.unsupported_links()});
}

}  // namespace homespin
