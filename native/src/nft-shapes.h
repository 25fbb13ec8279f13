// What a table is made of, without its elements and counters, as one text: whether somebody changed it.
#pragma once

#include <string>
#include <vector>

#include "nft-rules.h"
#include "nft-socket.h"

namespace homespin {

/**
 * One text a table (the names of the places have no meaning here); empty: there is no such table. The same text: the same
 * chains, rules and sets. 0, or the errno; EINTR: the ruleset did not hold still.
 */
int read_shapes(NftSocket& socket, const std::vector<NftPlace>& tables,
                std::vector<std::string>& shapes);

}  // namespace homespin
