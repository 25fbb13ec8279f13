// Files and descriptors that are read one after the other, as one capture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capture-file.h"

namespace homespin {

/** What could not be read of a source, by its place in the order in which they were given. */
struct SourceFault {
  uint32_t source;
  /** Empty if it was read to its end. */
  std::string error;
  std::vector<std::string> unsupported_links;
};

class InputQueue {
 public:
  InputQueue() = default;
  ~InputQueue();
  InputQueue(const InputQueue&) = delete;
  InputQueue& operator=(const InputQueue&) = delete;

  /** Opened when its turn comes: there may be more of them than a process may hold open. Empty, or why it can't be read. */
  std::string add_file(const std::string& path);
  /** Closed when it was read. Empty, or why it can't be read. */
  std::string add_descriptor(int fd);

  bool empty() const { return inputs_.empty(); }

  /** Closes the one at hand and opens the next. False: there is none. What can't be opened is noted in `faults`. */
  bool next(std::vector<SourceFault>& faults);
  /** The one at hand and all that were to follow. */
  void close();

  /** Of the one at hand; -1 without. */
  int fd() const { return fd_; }
  bool regular() const { return regular_; }
  /** Notes how reading the one at hand ended, if anything is to be said of it. */
  void note(const CaptureFile& file, const std::string& error, std::vector<SourceFault>& faults) const;

 private:
  void close_current();

  struct Input {
    std::string path;
    int fd;
  };
  std::vector<Input> inputs_;
  size_t next_ = 0;
  int fd_ = -1;
  bool regular_ = false;
};

}  // namespace homespin
