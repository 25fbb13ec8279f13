#include "netlink-object.h"

#include "addon.h"

namespace homespin {

namespace {

const char* kind_name(RouteEvent::Kind kind) {
  switch (kind) {
    case RouteEvent::Kind::kLink:
      return "link";
    case RouteEvent::Kind::kAddress:
      return "address";
    case RouteEvent::Kind::kNeighbour:
      return "neighbour";
    case RouteEvent::Kind::kGateway:
    case RouteEvent::Kind::kGateways:
      return "gateways";
    case RouteEvent::Kind::kOverrun:
      return "overrun";
    case RouteEvent::Kind::kSynchronised:
      return "synchronised";
  }
  return "";
}

Napi::Object event_object(Napi::Env env, const RouteEvent& event) {
  using Kind = RouteEvent::Kind;
  Napi::Object to = Napi::Object::New(env);
  to.Set("kind", kind_name(event.kind));
  if (event.kind == Kind::kOverrun || event.kind == Kind::kSynchronised) return to;
  if (event.kind == Kind::kGateways) {
    Napi::Array gateways = Napi::Array::New(env, event.gateways.size());
    for (uint32_t i = 0; i < event.gateways.size(); i++) {
      Napi::Object gateway = Napi::Object::New(env);
      gateway.Set("index", event.gateways[i].index);
      gateway.Set("ip", event.gateways[i].ip);
      gateways.Set(i, gateway);
    }
    to.Set("gateways", gateways);
    return to;
  }
  to.Set("index", event.index);
  to.Set("removed", event.removed);
  if (event.kind != Kind::kLink) to.Set("ip", event.ip);
  if (!event.mac.empty()) to.Set("mac", event.mac);
  if (event.kind == Kind::kLink) {
    to.Set("name", event.name);
    to.Set("up", event.up);
    to.Set("loopback", event.loopback);
    if (event.master != 0) to.Set("master", event.master);
    if (!event.link_kind.empty()) to.Set("linkKind", event.link_kind);
    if (event.parent != 0) {
      Napi::Object vlan = Napi::Object::New(env);
      vlan.Set("type", Napi::Number::New(env, event.vlan_type));
      vlan.Set("id", Napi::Number::New(env, event.vlan_id));
      to.Set("parent", event.parent);
      to.Set("vlan", vlan);
    }
  }
  if (event.kind == Kind::kAddress) to.Set("prefixLength", event.prefix_length);
  if (event.kind == Kind::kNeighbour) {
    to.Set("reachable", event.reachable);
    to.Set("router", event.router);
  }
  return to;
}

}  // namespace

Napi::Function NetlinkObject::define(Napi::Env env) {
  return DefineClass(env, "Netlink",
                     {
                         InstanceMethod<&NetlinkObject::start>("start"),
                         InstanceMethod<&NetlinkObject::stop>("stop"),
                     });
}

NetlinkObject::NetlinkObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<NetlinkObject>(info), all_(info.Env().GetInstanceData<Addon>()->netlinks) {
  all_->insert(this);
}

NetlinkObject::~NetlinkObject() {
  shut_down();
  all_->erase(this);
}

void NetlinkObject::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto socket = std::make_unique<RouteSocket>();
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
  auto* const timer = new uv_timer_t;
  uv_timer_init(loop, timer);
  socket_ = std::move(socket);
  poll_ = poll;
  poll_->data = this;
  timer_ = timer;
  timer_->data = this;
  on_events_ = Napi::Persistent(info[0].As<Napi::Function>());
  context_ = std::make_unique<Napi::AsyncContext>(env, "homespin netlink");
  Ref();
  watch();
  wait_if_needed();
}

/** What is to be asked a moment later. */
void NetlinkObject::wait_if_needed() {
  if (!socket_->waits() || uv_is_active(reinterpret_cast<uv_handle_t*>(timer_))) return;
  uv_timer_start(
      timer_,
      [](uv_timer_t* handle) {
        auto* const self = static_cast<NetlinkObject*>(handle->data);
        self->socket_->ask_later();
        self->wait_if_needed();
      },
      RouteSocket::kLaterMs, 0);
}

void NetlinkObject::watch() {
  uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int status, int) {
    auto* const self = static_cast<NetlinkObject*>(handle->data);
    // libuv stops watching when the socket has an error; after an overrun it goes on.
    if (status < 0) self->watch();
    self->readable();
  });
}

void NetlinkObject::readable() {
  std::vector<RouteEvent> events;
  socket_->read(events);
  wait_if_needed();
  if (events.empty()) return;
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  Napi::Array list = Napi::Array::New(env, events.size());
  for (uint32_t i = 0; i < events.size(); i++) list.Set(i, event_object(env, events[i]));
  on_events_.MakeCallback(Value(), {list}, *context_);
}

void NetlinkObject::stop(const Napi::CallbackInfo& info) { shut_down(); }

void NetlinkObject::shut_down() {
  if (poll_ == nullptr) return;
  uv_poll_stop(poll_);
  uv_close(reinterpret_cast<uv_handle_t*>(poll_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  poll_ = nullptr;
  uv_timer_stop(timer_);
  uv_close(reinterpret_cast<uv_handle_t*>(timer_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
  timer_ = nullptr;
  socket_.reset();
  on_events_.Reset();
  context_.reset();
  Unref();
}

}  // namespace homespin
