#include "nft-watch-object.h"

#include <utility>

#include "addon.h"

namespace homespin {

namespace {

/** News are told at once, then not again for so long: who changes rules without a pause does not take this thread. */
constexpr uint64_t kPauseMs = 20;

template <typename Handle>
void close_handle(Handle*& handle) {
  uv_close(reinterpret_cast<uv_handle_t*>(handle),
           [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
  handle = nullptr;
}

}  // namespace

Napi::Function NftWatchObject::define(Napi::Env env) {
  return DefineClass(env, "NftWatch",
                     {
                         InstanceMethod<&NftWatchObject::start>("start"),
                         InstanceMethod<&NftWatchObject::stop>("stop"),
                     });
}

NftWatchObject::NftWatchObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<NftWatchObject>(info), all_(info.Env().GetInstanceData<Addon>()->nft_watches) {
  all_->insert(this);
}

NftWatchObject::~NftWatchObject() {
  shut_down();
  all_->erase(this);
}

void NftWatchObject::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto socket = std::make_unique<NftWatchSocket>();
  const std::string error = socket->open();
  if (!error.empty()) {
    Napi::Error::New(env, error).ThrowAsJavaScriptException();
    return;
  }
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
    Napi::Error::New(env, "this environment has no event loop").ThrowAsJavaScriptException();
    return;
  }
  auto* const poll = new uv_poll_t;
  if (uv_poll_init(loop, poll, socket->fd()) != 0) {
    delete poll;
    Napi::Error::New(env, "the netlink socket can't be watched").ThrowAsJavaScriptException();
    return;
  }
  timer_ = new uv_timer_t;
  uv_timer_init(loop, timer_);
  timer_->data = this;
  socket_ = std::move(socket);
  poll_ = poll;
  poll_->data = this;
  on_news_ = Napi::Persistent(info[0].As<Napi::Function>());
  context_ = std::make_unique<Napi::AsyncContext>(env, "homespin nftables");
  Ref();
  watch();
}

void NftWatchObject::watch() {
  uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int status, int) {
    auto* const self = static_cast<NftWatchObject*>(handle->data);
    // libuv stops watching when the socket has an error; after an overrun it goes on.
    if (status < 0) self->watch();
    self->readable();
  });
}

void NftWatchObject::readable() {
  socket_->read(news_);
  if (news_.empty() || uv_is_active(reinterpret_cast<uv_handle_t*>(timer_))) return;
  const uint64_t now = uv_now(timer_->loop);
  const uint64_t next = told_ms_ + kPauseMs;
  if (told_ms_ == 0 || now >= next) return tell();
  uv_timer_start(
      timer_, [](uv_timer_t* handle) { static_cast<NftWatchObject*>(handle->data)->tell(); },
      next - now, 0);
}

void NftWatchObject::tell() {
  told_ms_ = uv_now(timer_->loop);
  const NftNews news = std::exchange(news_, {});
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  Napi::Array authors = Napi::Array::New(env, news.authors.size());
  for (uint32_t i = 0; i < news.authors.size(); i++) {
    Napi::Object author = Napi::Object::New(env);
    author.Set("port", news.authors[i].port);
    author.Set("pid", news.authors[i].pid);
    author.Set("name", news.authors[i].name);
    authors.Set(i, author);
  }
  Napi::Object to = Napi::Object::New(env);
  to.Set("generation", news.generation);
  to.Set("count", news.count);
  to.Set("authors", authors);
  to.Set("missed", news.missed);
  on_news_.MakeCallback(Value(), {to}, *context_);
}

void NftWatchObject::stop(const Napi::CallbackInfo& info) { shut_down(); }

void NftWatchObject::shut_down() {
  if (poll_ == nullptr) return;
  uv_poll_stop(poll_);
  uv_timer_stop(timer_);
  close_handle(poll_);
  close_handle(timer_);
  socket_.reset();
  on_news_.Reset();
  context_.reset();
  Unref();
}

}  // namespace homespin
