// The clock that nobody sets.
#pragma once

#include <time.h>

#include <cstdint>

namespace homespin {

/** Milliseconds since the boot, also while the machine slept. */
inline int64_t up_ms() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * int64_t{1000} + now.tv_nsec / 1'000'000;
}

}  // namespace homespin
