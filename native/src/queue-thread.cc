#include "queue-thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <cstring>

namespace homespin {

namespace {

constexpr int64_t kSecond = 1'000'000'000;
/** Longest sleep: a deadline that a suspended machine slept over is noticed then. */
constexpr int64_t kLongestWait = 60 * kSecond;
/** Bursts taken before deadlines are looked at. */
constexpr int kBurstsAtOnce = 8;

class SocketVerdicts final : public Verdicts {
 public:
  explicit SocketVerdicts(QueueSocket& socket) : socket_(socket) {}
  void verdict(uint32_t id, bool accept, const uint32_t* mark) override {
    socket_.verdict(id, accept, mark);
  }
  void rewrite(uint32_t id, const uint32_t* mark, const uint8_t* payload, size_t size) override {
    socket_.rewrite(id, mark, payload, size);
  }

 private:
  QueueSocket& socket_;
};

/** Of sched_setattr(2), as far as it was first; C libraries declare it only lately. */
struct Schedule {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  /** Since Linux 6.12 the length of a thread's turn: who takes short ones waits less for the next. */
  uint64_t turn_ns;
  uint64_t deadline_ns;
  uint64_t period_ns;
};
constexpr int kNice = -5;
constexpr uint64_t kTurnNs = 200'000;

/**
 * Somebody waits for every packet that this thread has, and it needs little time for each: on a busy machine it comes before others.
 * Without the right to it (CAP_SYS_NICE) its turns are only made short; older kernels do neither.
 */
void hurry() {
  Schedule schedule{sizeof(Schedule), 0, 0, kNice, 0, kTurnNs, 0, 0};
  if (syscall(SYS_sched_setattr, 0, &schedule, 0) == 0) return;
  schedule.nice = getpriority(PRIO_PROCESS, 0);
  syscall(SYS_sched_setattr, 0, &schedule, 0);
}

}  // namespace

int64_t boot_ns() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

double wall_ms() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec / 1000) / 1e3;
}

QueueThread::QueueThread(const QueueOptions& options, PacketHandler& handler)
    : options_(options), handler_(handler), socket_(options) {}

QueueThread::~QueueThread() {
  stop();
  if (wake_fd_ >= 0) close(wake_fd_);
}

std::string QueueThread::start() {
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return std::string("an eventfd can't be made: ") + std::strerror(errno);
  const std::string error = socket_.open();
  if (!error.empty()) return error;
  // Whoever wanted to wake it before there was anything to wake.
  woken_ = false;
  // Signals are for the main thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "homespin-queue");
  return {};
}

void QueueThread::stop() {
  if (!thread_.joinable()) return;
  stop_ = true;
  woken_ = false;
  wake();
  thread_.join();
}

void QueueThread::wake() {
  if (woken_.exchange(true)) return;
  const uint64_t one = 1;
  // It can only fail when it is signalled already.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

QueueThread::Counters QueueThread::counters() const {
  return {packets_, overruns_, unsent_, read_queue_losses(options_.number)};
}

void QueueThread::run() {
  hurry();
  SocketVerdicts verdicts(socket_);
  int64_t next = INT64_MAX;
  while (!stop_) {
    timespec wait{};
    timespec* until = nullptr;
    if (next != INT64_MAX) {
      int64_t left = next - boot_ns();
      if (left < 0) left = 0;
      if (left > kLongestWait) left = kLongestWait;
      wait = {left / kSecond, left % kSecond};
      until = &wait;
    }
    pollfd fds[2] = {{socket_.fd(), POLLIN, 0}, {wake_fd_, POLLIN, 0}};
    if (ppoll(fds, 2, until, nullptr) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) {
      uint64_t count;
      [[maybe_unused]] const ssize_t size = read(wake_fd_, &count, sizeof count);
      woken_ = false;
    }
    bool full = fds[0].revents != 0;
    for (int burst = 0; burst == 0 || (full && burst < kBurstsAtOnce); burst++) {
      const size_t count = full ? socket_.receive(full) : 0;
      const int64_t now = boot_ns();
      {
        const std::lock_guard lock(mutex_);
        for (size_t i = 0; i < count; i++) {
          socket_.each(i, [&](const QueuedPacket& packet) { handler_.packet(packet, now, verdicts); });
        }
        handler_.prepare(now);
      }
      handler_.carry_out();
      const std::lock_guard lock(mutex_);
      next = handler_.settle(now, verdicts);
      socket_.flush();
      packets_ += count;
    }
    overruns_ = socket_.overruns();
    unsent_ = socket_.unsent();
  }
  const std::lock_guard lock(mutex_);
  handler_.end(verdicts);
  socket_.close();
}

}  // namespace homespin
