#include "ring-set.h"

#include <algorithm>

#include "up-time.h"

namespace homespin {

namespace {

/** Interfaces that are gone and may come back under their name. */
constexpr size_t kMostGone = 256;

}  // namespace

void RingSet::set(const std::vector<RingOptions>& list, Meter& meter) {
  std::vector<std::unique_ptr<Ring>> rings;
  for (const RingOptions& options : list) {
    const auto same = std::find_if(rings_.begin(), rings_.end(), [&](const auto& ring) {
      return ring && ring->options().name == options.name;
    });
    if (same != rings_.end()) {
      (*same)->configure(options);
      rings.push_back(std::move(*same));
      continue;
    }
    rings.push_back(std::make_unique<Ring>(options));
    if (const auto before = gone_.find(options.name); before != gone_.end()) {
      rings.back()->carry(before->second);
      gone_.erase(before);
    }
    rings.back()->check(&meter, static_cast<uint16_t>(rings.size() - 1));
  }
  for (size_t i = 0; i < rings_.size(); i++) {
    if (!rings_[i]) continue;
    rings_[i]->close_gate();
    leaving_.push_back({std::move(rings_[i]), static_cast<uint16_t>(i), up_ms() + kLastBlockMs});
  }
  rings_ = std::move(rings);
}

void RingSet::check(Meter& meter) {
  for (size_t i = 0; i < rings_.size(); i++) rings_[i]->check(&meter, static_cast<uint16_t>(i));
}

void RingSet::end_leaving() {
  const int64_t now = up_ms();
  std::erase_if(leaving_, [&](const Leaving& each) {
    if (now < each.until_ms) return false;
    each.ring->detach();
    keep(each.ring->options().name, each.ring->totals());
    return true;
  });
}

/** For the ring that has the name now, or will have it again. */
void RingSet::keep(const std::string& name, const RingTotals& totals) {
  for (const auto& ring : rings_) {
    if (ring->options().name == name) return ring->carry(totals);
  }
  if (gone_.size() >= kMostGone) {
    for (const auto& [other, of_other] : gone_) dropped_before_ += of_other.dropped;
    gone_.clear();
  }
  gone_[name].packets += totals.packets;
  gone_[name].dropped += totals.dropped;
}

void RingSet::wait_for(std::vector<pollfd>& wait) const {
  for (const auto& ring : rings_) {
    if (ring->fd() >= 0) wait.push_back({ring->fd(), POLLIN, 0});
  }
  for (const Leaving& each : leaving_) {
    if (each.ring->fd() >= 0) wait.push_back({each.ring->fd(), POLLIN, 0});
  }
}

void RingSet::clear_errors() {
  for (const auto& ring : rings_) ring->clear_error();
  for (const Leaving& each : leaving_) each.ring->clear_error();
}

bool RingSet::read(size_t i, Meter& meter) {
  if (i < rings_.size()) return rings_[i]->read(meter, static_cast<uint16_t>(i));
  const Leaving& leaving = leaving_[i - rings_.size()];
  return leaving.ring->read(meter, leaving.index);
}

uint64_t RingSet::dropped() const {
  uint64_t dropped = dropped_before_;
  for (const auto& ring : rings_) dropped += ring->totals().dropped;
  for (const Leaving& each : leaving_) dropped += each.ring->totals().dropped;
  for (const auto& [name, totals] : gone_) dropped += totals.dropped;
  return dropped;
}

}  // namespace homespin
