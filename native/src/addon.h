// What one environment (the main thread, or a worker) has of this addon.
#pragma once

#include <napi.h>

#include <memory>
#include <set>

namespace homespin {

class CaptureObject;
class NetlinkObject;
class NftWatchObject;

/** Something that serves a queue. */
class QueueObject {
 public:
  virtual ~QueueObject() = default;
  /** Ends the thread; for when the environment goes away under it. */
  virtual void shut_down() = 0;
};

struct Addon {
  /** Shared, as objects may outlive the environment's data by a little. Ended when the environment goes away. */
  std::shared_ptr<std::set<CaptureObject*>> captures = std::make_shared<std::set<CaptureObject*>>();
  std::shared_ptr<std::set<NetlinkObject*>> netlinks = std::make_shared<std::set<NetlinkObject*>>();
  std::shared_ptr<std::set<QueueObject*>> queues = std::make_shared<std::set<QueueObject*>>();
  std::shared_ptr<std::set<NftWatchObject*>> nft_watches = std::make_shared<std::set<NftWatchObject*>>();
};

}  // namespace homespin
