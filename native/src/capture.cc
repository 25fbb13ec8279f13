#include "capture.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "up-time.h"

namespace homespin {

namespace {

/** Small enough to stay in the cache between the kernel's copy and our look at it. */
constexpr size_t kReadBytes = 256 * 1024;
/** A block that is not whole yet waits in front of the next piece. */
constexpr size_t kBufferBytes = kReadBytes + kMaxCaptured + 65536;
/** So much of a capture at a time where its seconds are looked for. */
constexpr size_t kUpdateStep = 4096;
constexpr int64_t kSignalMs = 1000;
constexpr int kTickMs = 200;
/** How often the interfaces are looked at. */
constexpr int64_t kCheckMs = 500;
/** From here on JavaScript is told at once. */
constexpr uint32_t kManyClosed = 8192;
/** From here on a file waits. */
constexpr uint32_t kTooManyClosed = 32768;
constexpr size_t kManyNames = 256 * 1024;
/** Flows in a batch: what JavaScript makes of it stays small. Further ones follow in the next, at once. */
constexpr uint32_t kBatchFlows = 4096;
/** Flows told in one second while live: with more, each is told less often (the longest untold first), none is lost. */
constexpr uint32_t kRoundFlows = 32768;

/** In whole milliseconds. */
int64_t time_of_day_us() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * int64_t{1'000'000} + now.tv_nsec / 1'000'000 * 1000;
}

}  // namespace

Capture::Capture(const MeterOptions& options)
    : meter_(options), max_flows_(options.flows.max_flows), updates_(options.flows.updates) {}

Capture::~Capture() {
  stop();
  if (wake_fd_ >= 0) close(wake_fd_);
}

std::string Capture::read_file(const std::string& path) { return inputs_.add_file(path); }

std::string Capture::read_descriptor(int fd, bool live) {
  live_ = live;
  if (live) meter_.run_live();
  return inputs_.add_descriptor(fd);
}

std::string Capture::set_interfaces(const std::vector<RingOptions>& list) {
  const std::string refusal = capture_refusal();
  if (!refusal.empty()) return refusal;
  const std::lock_guard lock(mutex_);
  live_ = true;
  meter_.run_live();
  rings_.set(list, meter_);
  wake();
  return {};
}

void Capture::set_locality(Locality locality) {
  const std::lock_guard lock(mutex_);
  meter_.set_locality(std::move(locality));
}

void Capture::wake() {
  if (wake_fd_ < 0) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

void Capture::start(std::function<void()> signal) {
  signal_ = std::move(signal);
  started_ = true;
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  thread_ = std::thread([this] { run(); });
}

void Capture::stop() {
  stopping_ = true;
  wake();
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  drained_.notify_all();
  if (thread_.joinable()) thread_.join();
  inputs_.close();
  if (!started_) ended_ = true;
}

void Capture::run() {
  last_signal_ms_ = packet_seen_ms_ = up_ms();
  if (!inputs_.empty()) {
    run_inputs();
    inputs_.close();
  } else {
    run_rings();
  }
  {
    const std::lock_guard lock(mutex_);
    meter_.end();
    ended_ = true;
  }
  signal_now();
}

/** One after the other; flows and all else that the meter knows go on from one to the next. */
void Capture::run_inputs() {
  const std::unique_ptr<uint8_t[]> buffer(new uint8_t[kBufferBytes]);
  while (!stopping_) {
    {
      const std::lock_guard lock(mutex_);
      if (!inputs_.next(faults_)) return;
      file_ = CaptureFile(told_now_us(), !live_);
      meter_.begin_source();
    }
    const std::string error = run_input(buffer.get());
    const std::lock_guard lock(mutex_);
    inputs_.note(file_, error, faults_);
  }
}

/** Reads the input at hand to its end. Empty, or why it ended before. */
std::string Capture::run_input(uint8_t* buffer) {
  size_t have = 0;
  while (!stopping_) {
    if (!inputs_.regular() && !wait_for_input(wait_ms())) {
      after_piece();
      continue;
    }
    const ssize_t n = read(inputs_.fd(), buffer + have, std::min(kReadBytes, kBufferBytes - have));
    if (n < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return std::string("reading failed: ") + std::strerror(errno);
    }
    if (n == 0) break;
    have += static_cast<size_t>(n);
    do {
      const size_t used = parse(buffer, have);
      if (used > 0) packet_seen_ms_ = up_ms();
      have -= used;
      std::memmove(buffer, buffer + used, have);
      after_piece();
    } while (file_.paused() && !stopping_);
    if (file_.failed()) break;
  }
  const std::lock_guard lock(mutex_);
  if (!stopping_) file_.end(have);
  return file_.error();
}

/** Takes what is whole of the buffer; of a capture whose changes are wanted, second by second of its own time. */
size_t Capture::parse(const uint8_t* data, size_t size) {
  if (live_ || !updates_) {
    const std::lock_guard lock(mutex_);
    if (live_) meter_.expect_after(silence_us());
    return file_.parse(data, size, meter_);
  }
  size_t used = 0;
  size_t step = kUpdateStep;
  while (used < size && !stopping_ && !file_.failed() && !file_.paused()) {
    std::unique_lock lock(mutex_);
    const size_t piece = std::min(step, size - used);
    const size_t taken = file_.parse(data + used, piece, meter_);
    used += taken;
    if (taken == 0 && piece == size - used) break;
    step = taken == 0 ? step * 2 : kUpdateStep;
    const int64_t second = meter_.clock().now_us() / 1'000'000;
    if (second == told_second_) continue;
    told_second_ = second;
    round_ = meter_.flows().pending();
    if (round_ == 0) continue;
    lock.unlock();
    signal_now();
    lock.lock();
    drained_.wait(lock, [this] {
      return stopped_ || (draining_ == 0 && meter_.flows().pending() == 0);
    });
  }
  return used;
}

void Capture::run_rings() {
  int64_t checked_ms = last_signal_ms_;
  std::vector<pollfd> wait;
  while (!stopping_) {
    wait.assign(1, {wake_fd_, POLLIN, 0});
    {
      const std::lock_guard lock(mutex_);
      const int64_t now = up_ms();
      const bool check = now - checked_ms >= kCheckMs;
      if (check) {
        checked_ms = now;
        rings_.check(meter_);
      }
      rings_.end_leaving();
      rings_.wait_for(wait);
    }
    poll(wait.data(), wait.size(), wait_ms());
    if (wait[0].revents != 0) {
      uint64_t count;
      [[maybe_unused]] const ssize_t n = read(wake_fd_, &count, sizeof count);
    }
    const bool failed = std::any_of(wait.begin() + 1, wait.end(), [](const pollfd& each) {
      return each.revents & (POLLERR | POLLNVAL);
    });
    if (failed) {
      const std::lock_guard lock(mutex_);
      rings_.clear_errors();
    }
    if (!read_rings()) after_piece();
  }
  // What was on the wire before the end is handed over when its block retires.
  const int64_t end = up_ms() + kLastBlockMs;
  while (up_ms() < end) {
    if (!read_rings()) poll(nullptr, 0, 5);
  }
}

/** Takes what is there, a block at a time. False: there was nothing. */
bool Capture::read_rings() {
  bool any = false;
  for (size_t i = 0;; i++) {
    bool read;
    {
      const std::lock_guard lock(mutex_);
      if (i >= rings_.size()) return any;
      meter_.expect_after(silence_us());
      read = rings_.read(i, meter_);
    }
    if (!read) continue;
    any = true;
    packet_seen_ms_ = up_ms();
    after_piece();
  }
}

/** Until the next tick or signal. */
int Capture::wait_ms() const {
  const int64_t to_signal = last_signal_ms_ + kSignalMs - up_ms();
  return static_cast<int>(std::clamp<int64_t>(to_signal, 1, kTickMs));
}

/** How long no packet has come. The sender's clock may differ from ours: this is added to its last time. */
int64_t Capture::silence_us() const { return (up_ms() - packet_seen_ms_) * 1000; }

/** What the source's clock says now, as far as is known from packets. */
int64_t Capture::told_now_us() const { return meter_.clock().told(meter_.clock().now_us()); }

bool Capture::wait_for_input(int timeout_ms) {
  pollfd wait[2] = {{inputs_.fd(), POLLIN, 0}, {wake_fd_, POLLIN, 0}};
  if (poll(wait, 2, timeout_ms) <= 0) return false;
  return wait[0].revents != 0;
}

/** Signals when due, lets whoever drains go first, and waits while too much has not been drained. */
void Capture::after_piece() {
  const int64_t now = up_ms();
  const bool due = now - last_signal_ms_ >= kSignalMs;
  bool many;
  {
    std::unique_lock lock(mutex_);
    if (live_ && meter_.counters().packets > 0) meter_.advance_after(silence_us());
    many = meter_.flows().pending_closed() >= kManyClosed ||
           meter_.names().queue().size() >= kManyNames;
    if (due || many) {
      const uint32_t pending = meter_.flows().pending();
      round_ = live_ && !many ? std::min(pending, kRoundFlows) : pending;
    }
  }
  if (due || many) signal_now();
  if (draining_ > 0 || many) wait_while_full();
}

/**
 * Live, only memory can make it wait: what then does not fit into the rings is counted by the kernel. Names are dropped
 * and counted one by one before.
 */
bool Capture::full() {
  if (live_) return meter_.flows().pending_closed() >= std::max(max_flows_, kTooManyClosed);
  return meter_.flows().pending_closed() >= kTooManyClosed || meter_.names().queue().full();
}

void Capture::wait_while_full() {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] {
    return stopped_ || (draining_ == 0 && !full());
  });
}

void Capture::signal_now() {
  last_signal_ms_ = up_ms();
  signal_();
}

Capture::Drain::Drain(Capture& capture) : capture_(capture) {
  capture_.draining_++;
  lock_ = std::unique_lock(capture_.mutex_);
  before_ = capture_.meter_.flows().pending();
}

Capture::Drain::~Drain() {
  const uint32_t left = capture_.meter_.flows().pending();
  capture_.round_ -= std::min(capture_.round_, before_ - left);
  capture_.more_ = capture_.ended_ ? left > 0 : capture_.round_ > 0;
  capture_.draining_--;
  lock_.unlock();
  capture_.drained_.notify_all();
}

uint32_t Capture::Drain::flow_count() const {
  const uint32_t pending = capture_.meter_.flows().pending();
  return capture_.stopped_ ? pending : std::min(pending, kBatchFlows);
}

bool Capture::Drain::ended() const {
  return capture_.ended_ && capture_.meter_.flows().pending() == 0;
}

int64_t Capture::Drain::time_us() const {
  return capture_.live_ ? time_of_day_us() : capture_.told_now_us();
}

}  // namespace homespin
