// `Netlink` of ../index.ts, as JavaScript holds it.
#pragma once

#include <napi.h>
#include <uv.h>

#include <memory>
#include <set>

#include "route-socket.h"

namespace homespin {

class NetlinkObject : public Napi::ObjectWrap<NetlinkObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit NetlinkObject(const Napi::CallbackInfo& info);
  ~NetlinkObject() override;

  /** Closes socket and watcher; for when the environment goes away under it. */
  void shut_down();

 private:
  void start(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);
  void watch();
  void readable();
  void wait_if_needed();

  std::unique_ptr<RouteSocket> socket_;
  /** On its own, as libuv needs it until it has closed it. */
  uv_poll_t* poll_ = nullptr;
  uv_timer_t* timer_ = nullptr;
  Napi::FunctionReference on_events_;
  std::unique_ptr<Napi::AsyncContext> context_;
  std::shared_ptr<std::set<NetlinkObject*>> all_;
};

}  // namespace homespin
