// Whether the kernel's clock is kept right by somebody (NTP, PTP), whoever that is.
#pragma once

#include <optional>

namespace homespin {

/** STA_UNSYNC of adjtimex(2), the other way round; nothing where the kernel does not tell. */
std::optional<bool> clock_synchronised();

}  // namespace homespin
