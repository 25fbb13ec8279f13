#include "nft-shapes.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <unistd.h>

#include <initializer_list>

namespace homespin {

namespace {

constexpr int kAttempts = 12;
constexpr useconds_t kPauseUs = 3000;

/** FNV-1a. Handles are the kernel's own numbers and never come twice in a table, so that chance alone could deceive. */
class Digest {
 public:
  void add(Span span) {
    const uint32_t size = static_cast<uint32_t>(span.size);
    add(reinterpret_cast<const uint8_t*>(&size), sizeof size);
    add(span.data, span.size);
  }
  void add(const uint8_t* data, size_t size) {
    for (size_t i = 0; i < size; i++) value_ = (value_ ^ data[i]) * 0x100000001b3ull;
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325ull;
};

struct Shape {
  bool there = false;
  uint32_t chains = 0;
  uint32_t rules = 0;
  uint32_t sets = 0;
  Digest digest;
};

/** Dumps one kind of thing of one table, and digests some attributes of each. */
template <uint16_t kMost>
int read_kind(NftSocket& socket, const NftPlace& place, uint16_t question_type, uint16_t table_type,
              std::initializer_list<uint16_t> wanted, uint32_t& count, Digest& digest) {
  NftMessages question;
  question.message(question_type, place.family, NLM_F_DUMP);
  // Old kernels tell of all tables, so that each answer is looked at too.
  question.put_text(table_type, place.table);
  return socket.ask(question, [&](uint16_t, uint8_t family, Span from) {
    const NftAttributes<kMost> attributes(from);
    if (family != place.family || attributes[table_type].text() != place.table) return;
    count++;
    for (const uint16_t type : wanted) digest.add(attributes[type]);
  });
}

int read_shape(NftSocket& socket, const NftPlace& place, Shape& shape) {
  uint32_t tables = 0;
  int error = read_kind<NFTA_TABLE_HANDLE>(socket, place, NFT_MSG_GETTABLE, NFTA_TABLE_NAME,
                                           {NFTA_TABLE_HANDLE, NFTA_TABLE_FLAGS}, tables, shape.digest);
  shape.there = tables > 0;
  if (error != 0 || !shape.there) return error;
  error = read_kind<NFTA_CHAIN_FLAGS>(
      socket, place, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE,
      {NFTA_CHAIN_NAME, NFTA_CHAIN_HANDLE, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_FLAGS},
      shape.chains, shape.digest);
  if (error != 0) return error;
  error = read_kind<NFTA_RULE_HANDLE>(socket, place, NFT_MSG_GETRULE, NFTA_RULE_TABLE,
                                      {NFTA_RULE_CHAIN, NFTA_RULE_HANDLE}, shape.rules, shape.digest);
  if (error != 0) return error;
  return read_kind<NFTA_SET_HANDLE>(socket, place, NFT_MSG_GETSET, NFTA_SET_TABLE,
                                    {NFTA_SET_NAME, NFTA_SET_HANDLE}, shape.sets, shape.digest);
}

int read_all(NftSocket& socket, const std::vector<NftPlace>& tables, std::vector<std::string>& shapes) {
  shapes.clear();
  const uint32_t generation = nft_generation(socket);
  for (const NftPlace& table : tables) {
    Shape shape;
    const int error = read_shape(socket, table, shape);
    if (error != 0) return error;
    char text[96] = "";
    if (shape.there) {
      snprintf(text, sizeof text, "%u chains, %u rules, %u sets, %016llx", shape.chains, shape.rules,
               shape.sets, static_cast<unsigned long long>(shape.digest.value()));
    }
    shapes.emplace_back(text);
  }
  return nft_generation(socket) == generation ? 0 : EINTR;
}

}  // namespace

int read_shapes(NftSocket& socket, const std::vector<NftPlace>& tables,
                std::vector<std::string>& shapes) {
  int error = socket.open();
  if (error != 0) return error;
  error = EINTR;
  for (int i = 0; i < kAttempts && error == EINTR; i++) {
    if (i > 0) usleep(kPauseUs);
    error = read_all(socket, tables, shapes);
  }
  return error;
}

}  // namespace homespin
