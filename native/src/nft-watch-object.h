// `NftWatch` of ../binding.ts, as JavaScript holds it.
#pragma once

#include <napi.h>
#include <uv.h>

#include <memory>
#include <set>

#include "nft-watch-socket.h"

namespace homespin {

class NftWatchObject : public Napi::ObjectWrap<NftWatchObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit NftWatchObject(const Napi::CallbackInfo& info);
  ~NftWatchObject() override;

  /** Closes socket, watcher and timer; for when the environment goes away under it. */
  void shut_down();

 private:
  void start(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);
  void watch();
  void readable();
  void tell();

  std::unique_ptr<NftWatchSocket> socket_;
  /** On their own, as libuv needs them until it has closed them. */
  uv_poll_t* poll_ = nullptr;
  uv_timer_t* timer_ = nullptr;
  NftNews news_;
  uint64_t told_ms_ = 0;
  Napi::FunctionReference on_news_;
  std::unique_ptr<Napi::AsyncContext> context_;
  std::shared_ptr<std::set<NftWatchObject*>> all_;
};

}  // namespace homespin
