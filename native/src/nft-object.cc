#include "nft-object.h"

#include <linux/netfilter.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bytes.h"
#include "nft-probes.h"
#include "nft-shapes.h"

namespace homespin {

namespace {

/** Runs `work` in the pool and settles a promise with what `answer` then makes of it. */
class Task : public Napi::AsyncWorker {
 public:
  using Work = std::function<void()>;
  using Answer = std::function<Napi::Value(Napi::Env)>;

  static Napi::Value start(Napi::Env env, Work work, Answer answer) {
    auto* const task = new Task(env, std::move(work), std::move(answer));
    const Napi::Promise promise = task->deferred_.Promise();
    task->Queue();
    return promise;
  }

 protected:
  void Execute() override { work_(); }
  void OnOK() override { deferred_.Resolve(answer_(Env())); }

 private:
  Task(Napi::Env env, Work work, Answer answer)
      : Napi::AsyncWorker(env, "homespin nftables"),
        work_(std::move(work)),
        answer_(std::move(answer)),
        deferred_(Napi::Promise::Deferred::New(env)) {}

  Work work_;
  Answer answer_;
  Napi::Promise::Deferred deferred_;
};

/** How ../nft-records.ts writes one change; both keys follow, each in full. */
struct ChangeHead {
  uint8_t what;
  uint8_t kind;
  uint8_t key_bytes;
  /** Bit 0: replace; bit 1: way xt; bit 2: bypass. */
  uint8_t flags;
  uint16_t place;
  uint16_t queue;
  uint64_t timeout_ms;
};
static_assert(sizeof(ChangeHead) == 16);

/** Family, table, name and so on, as the facade writes them. */
std::vector<NftPlace> read_places(const Napi::Array& from) {
  std::vector<NftPlace> places;
  for (uint32_t i = 0; i + 2 < from.Length(); i += 3) {
    NftPlace place;
    place.family = static_cast<uint8_t>(from.Get(i).As<Napi::Number>().Uint32Value());
    place.table = from.Get(i + 1).As<Napi::String>();
    place.name = from.Get(i + 2).As<Napi::String>();
    places.push_back(std::move(place));
  }
  return places;
}

/** False where the bytes are not whole changes of these places. */
bool read_changes(const uint8_t* at, size_t left, size_t places, std::vector<NftChange>& changes) {
  while (left > 0) {
    if (left < sizeof(ChangeHead)) return false;
    const ChangeHead head = load<ChangeHead>(at);
    const size_t size = sizeof head + 2u * head.key_bytes;
    if (size > left || head.key_bytes > kMostKeyBytes || head.place >= places) return false;
    if (head.what > 2 || head.kind > 2) return false;
    NftChange change;
    change.what = static_cast<NftChange::Do>(head.what);
    change.kind = static_cast<SetKind>(head.kind);
    change.place = head.place;
    change.key_bytes = head.key_bytes;
    change.replace = head.flags & 1;
    change.way = head.flags & 2 ? QueueWay::kXt : QueueWay::kNft;
    change.bypass = head.flags & 4;
    change.queue = head.queue;
    change.timeout_ms = head.timeout_ms;
    std::memcpy(change.first, at + sizeof head, head.key_bytes);
    std::memcpy(change.last, at + sizeof head + head.key_bytes, head.key_bytes);
    changes.push_back(change);
    at += size;
    left -= size;
  }
  return true;
}

Napi::Object outcome_object(Napi::Env env, int error, int32_t index, const std::string& detail) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("errno", error);
  if (index >= 0) to.Set("index", index);
  if (!detail.empty()) to.Set("detail", detail);
  return to;
}

}  // namespace

Napi::Function NftObject::define(Napi::Env env) {
  return DefineClass(env, "Nft",
                     {
                         InstanceMethod<&NftObject::apply>("apply"),
                         InstanceMethod<&NftObject::elements>("elements"),
                         InstanceMethod<&NftObject::shapes>("shapes"),
                         InstanceMethod<&NftObject::generation>("generation"),
                         InstanceMethod<&NftObject::probe>("probe"),
                         InstanceMethod<&NftObject::port>("port"),
                     });
}

NftObject::NftObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<NftObject>(info),
      transactions_(std::make_shared<NftTransactions>(info[0].ToBoolean())) {
  // Now, so that its address is known before the first change. Where it fails, each change says why.
  transactions_->socket().open();
}

Napi::Value NftObject::apply(const Napi::CallbackInfo& info) {
  struct State {
    std::vector<NftPlace> places;
    std::vector<NftChange> changes;
    NftOutcome outcome;
  };
  auto state = std::make_shared<State>();
  state->places = read_places(info[0].As<Napi::Array>());
  const Napi::Uint8Array bytes = info[1].As<Napi::Uint8Array>();
  if (!read_changes(bytes.Data(), bytes.ByteLength(), state->places.size(), state->changes)) {
    Napi::RangeError::New(info.Env(), "the changes are not whole").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Task::start(
      info.Env(),
      [state, transactions = transactions_] {
        state->outcome = transactions->apply(state->places, state->changes);
      },
      [state](Napi::Env env) {
        const NftOutcome& outcome = state->outcome;
        return outcome_object(env, outcome.error, outcome.index, outcome.detail);
      });
}

Napi::Value NftObject::elements(const Napi::CallbackInfo& info) {
  struct State {
    std::vector<NftPlace> places;
    SetKind kind;
    size_t key_bytes;
    std::vector<SetElement> elements;
    int error = 0;
  };
  auto state = std::make_shared<State>();
  state->places = read_places(info[0].As<Napi::Array>());
  state->kind = static_cast<SetKind>(info[1].As<Napi::Number>().Uint32Value());
  state->key_bytes = info[2].As<Napi::Number>().Uint32Value();
  if (state->places.size() != 1 || state->key_bytes == 0 || state->key_bytes > kMostKeyBytes) {
    Napi::RangeError::New(info.Env(), "no such set").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Task::start(
      info.Env(),
      [state, sockets = sockets_] {
        state->error = sockets->with([&](NftSocket& socket) {
          return read_elements(socket, state->places[0], state->kind, state->key_bytes, state->elements);
        });
      },
      [state](Napi::Env env) {
        Napi::Object to = outcome_object(env, state->error, -1, {});
        const size_t size = state->elements.size() * sizeof(SetElement);
        Napi::ArrayBuffer records = Napi::ArrayBuffer::New(env, size);
        if (size > 0) std::memcpy(records.Data(), state->elements.data(), size);
        to.Set("records", records);
        return to;
      });
}

Napi::Value NftObject::shapes(const Napi::CallbackInfo& info) {
  struct State {
    std::vector<NftPlace> tables;
    std::vector<std::string> shapes;
    int error = 0;
  };
  auto state = std::make_shared<State>();
  state->tables = read_places(info[0].As<Napi::Array>());
  return Task::start(
      info.Env(),
      [state, sockets = sockets_] {
        state->error =
            sockets->with([&](NftSocket& socket) { return read_shapes(socket, state->tables, state->shapes); });
      },
      [state](Napi::Env env) {
        Napi::Object to = outcome_object(env, state->error, -1, {});
        Napi::Array shapes = Napi::Array::New(env, state->shapes.size());
        for (uint32_t i = 0; i < state->shapes.size(); i++) shapes.Set(i, state->shapes[i]);
        to.Set("shapes", shapes);
        return to;
      });
}

Napi::Value NftObject::generation(const Napi::CallbackInfo& info) {
  auto generation = std::make_shared<uint32_t>(0);
  return Task::start(
      info.Env(),
      [generation, sockets = sockets_] { *generation = sockets->with(nft_generation); },
      [generation](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, *generation); });
}

Napi::Value NftObject::probe(const Napi::CallbackInfo& info) {
  auto probes = std::make_shared<std::vector<NftProbe>>();
  const Napi::Array from = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i + 2 < from.Length(); i += 3) {
    NftProbe probe;
    probe.what = static_cast<NftProbe::What>(from.Get(i).As<Napi::Number>().Uint32Value());
    probe.family = static_cast<uint8_t>(from.Get(i + 1).As<Napi::Number>().Uint32Value());
    probe.interface = from.Get(i + 2).As<Napi::String>();
    probes->push_back(std::move(probe));
  }
  return Task::start(
      info.Env(),
      [probes, transactions = transactions_] {
        for (NftProbe& probe : *probes) try_probe(transactions->socket(), probe);
      },
      [probes](Napi::Env env) {
        Napi::Array to = Napi::Array::New(env, probes->size());
        for (uint32_t i = 0; i < probes->size(); i++) {
          to.Set(i, outcome_object(env, (*probes)[i].error, -1, (*probes)[i].detail));
        }
        return to;
      });
}

Napi::Value NftObject::port(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), transactions_->socket().port());
}

}  // namespace homespin
