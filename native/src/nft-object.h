// `Nft` of ../binding.ts, as JavaScript holds it. Everything that asks the kernel runs in libuv's pool.
#pragma once

#include <napi.h>

#include <memory>

#include "nft-changes.h"
#include "nft-sockets.h"

namespace homespin {

class NftObject : public Napi::ObjectWrap<NftObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit NftObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value apply(const Napi::CallbackInfo& info);
  Napi::Value elements(const Napi::CallbackInfo& info);
  Napi::Value shapes(const Napi::CallbackInfo& info);
  Napi::Value generation(const Napi::CallbackInfo& info);
  Napi::Value probe(const Napi::CallbackInfo& info);
  Napi::Value port(const Napi::CallbackInfo& info);

  /** Shared with what runs in the pool. One transaction at a time: ../nft.ts sees to that. */
  std::shared_ptr<NftTransactions> transactions_;
  /** Of their own: a long dump does not keep a transaction waiting. */
  std::shared_ptr<NftSockets> sockets_ = std::make_shared<NftSockets>();
};

}  // namespace homespin
