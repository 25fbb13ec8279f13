#include "stream-pool.h"

#include <algorithm>
#include <cstring>

namespace homespin {

void Stream::begin(uint32_t base) {
  base_ = base;
  pieces_ = 0;
}

bool Stream::add(uint32_t sequence, const uint8_t* data, uint32_t size) {
  const int32_t ahead = static_cast<int32_t>(sequence - base_);
  if (ahead < 0) {
    const uint32_t known = 0u - static_cast<uint32_t>(ahead);
    if (known >= size) return true;
    data += known;
    size -= known;
  }
  const uint32_t from = ahead < 0 ? 0 : static_cast<uint32_t>(ahead);
  if (size == 0) return true;
  if (from >= kMaxStreamBytes || size > kMaxStreamBytes - from) return false;
  if (!insert({from, from + size})) return false;
  if (bytes_.size() < from + size) bytes_.resize(from + size);
  std::memcpy(bytes_.data() + from, data, size);
  return true;
}

bool Stream::insert(Piece added) {
  Piece merged[kPieces + 1];
  uint32_t count = 0;
  bool placed = false;
  for (uint32_t i = 0; i < pieces_; i++) {
    const Piece& piece = piece_[i];
    if (piece.to < added.from) {
      merged[count++] = piece;
    } else if (piece.from > added.to) {
      if (!placed) merged[count++] = added;
      placed = true;
      merged[count++] = piece;
    } else {
      added = {std::min(added.from, piece.from), std::max(added.to, piece.to)};
    }
  }
  if (!placed) merged[count++] = added;
  if (count > kPieces) return false;
  std::copy(merged, merged + count, piece_);
  pieces_ = count;
  return true;
}

void Stream::consume(uint32_t count) {
  const uint32_t held = pieces_ > 0 ? piece_[pieces_ - 1].to : 0;
  if (count < held) std::memmove(bytes_.data(), bytes_.data() + count, held - count);
  base_ += count;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < pieces_; i++) {
    if (piece_[i].to <= count) continue;
    piece_[kept++] = {piece_[i].from > count ? piece_[i].from - count : 0, piece_[i].to - count};
  }
  pieces_ = kept;
}

Stream* StreamPool::find(uint64_t flow, uint8_t end, int64_t time_us) {
  Stream* way = &streams_[first_way(flow, end)];
  for (uint32_t i = 0; i < kWays; i++, way++) {
    if (way->flow_ != flow || way->end_ != end) continue;
    way->used_us_ = time_us;
    return way;
  }
  return nullptr;
}

Stream& StreamPool::open(uint64_t flow, uint8_t end, uint32_t base, int64_t time_us, bool& displaced) {
  Stream* stream = find(flow, end, time_us);
  displaced = false;
  if (stream == nullptr) {
    Stream* const ways = &streams_[first_way(flow, end)];
    stream = std::min_element(ways, ways + kWays, [](const Stream& a, const Stream& b) {
      return a.used_us_ < b.used_us_;
    });
    displaced = stream->pieces_ > 0 && time_us - stream->used_us_ < kWaitUs;
  }
  stream->flow_ = flow;
  stream->end_ = end;
  stream->used_us_ = time_us;
  stream->begin(base);
  return *stream;
}

void StreamPool::close(Stream& stream) {
  stream.flow_ = 0;
  stream.used_us_ = 0;
  stream.pieces_ = 0;
}

}  // namespace homespin
