// What one environment (the main thread, or a worker) has of this addon.
#pragma once

#include <napi.h>

#include <memory>
#include <set>

namespace homespin {

class CaptureObject;
class NetlinkObject;

struct Addon {
  /** Shared, as objects may outlive the environment's data by a little. Ended when the environment goes away. */
  std::shared_ptr<std::set<CaptureObject*>> captures = std::make_shared<std::set<CaptureObject*>>();
  std::shared_ptr<std::set<NetlinkObject*>> netlinks = std::make_shared<std::set<NetlinkObject*>>();
};

}  // namespace homespin
