// The C ABI over Client: checks what C cannot, copies, translates.
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "base/clock.h"
#include "base/status.h"
#include "base/version.h"
#include "cairn/v1/namespace.pb.h"
#include "client/cairn.h"
#include "client/client.h"
#include "client/tenant_file.h"
#include "proto/block_key.h"
#include "proto/urgency.h"
#include "transport/real_network.h"

struct cairn_client {
  std::unique_ptr<cairn::Network> network;  // outlives the client
  std::unique_ptr<cairn::Client> client;
  // Of the call under way; keep their capacity.
  std::vector<cairn::Transfer> transfers;
  std::vector<cairn::Extents> extents;
  std::vector<cairn::BlockKey> chain;
};

struct cairn_region {
  std::unique_ptr<cairn::MemoryRegion> region;
};

namespace cairn {
namespace {

constexpr size_t kPollMax = 64;
constexpr size_t kDigestBytes = 32;
constexpr int64_t kWaitMax_ns = 3600ll * 1000 * 1000 * 1000;

static_assert(sizeof(cairn_key) == sizeof(BlockKey));
static_assert(sizeof(cairn_transfer) == 96 && sizeof(cairn_completion) == 40);
static_assert(CAIRN_UNAUTHENTICATED == -static_cast<int>(absl::StatusCode::kUnauthenticated));
static_assert(CAIRN_DATA_LOSS == -static_cast<int>(absl::StatusCode::kDataLoss));

thread_local std::string last_error;

int Report(const absl::Status& status) {
  if (status.ok()) return CAIRN_OK;
  last_error = std::string(status.message());
  return -static_cast<int>(status.code());
}

int ReportNull(const char* parameter) {
  return Report(absl::InvalidArgumentError(absl::StrCat(parameter, ": NULL")));
}

// What the caller knows of a struct, the rest zero. A caller that is newer than we are may use
// nothing that we do not know.
template <typename Struct>
absl::StatusOr<Struct> Known(const Struct* given, const char* name) {
  static_assert(std::is_trivially_copyable_v<Struct>);
  if (given == nullptr) return absl::InvalidArgumentError(absl::StrCat(name, ": NULL"));
  uint32_t struct_bytes;
  std::memcpy(&struct_bytes, given, sizeof(struct_bytes));
  if (struct_bytes < sizeof(struct_bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ".struct_bytes: ", struct_bytes, "; set it to sizeof of the struct"));
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof(Struct); i < struct_bytes; ++i) {
    if (bytes[i] == 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(name, ": uses a field that this libcairn (",
                                                   Version(), ") lacks; install a newer one"));
  }
  Struct known{};
  std::memcpy(&known, given, std::min<size_t>(struct_bytes, sizeof(known)));
  return known;
}

std::string Text(const char* text) { return text == nullptr ? "" : text; }

std::string Digest(const uint8_t* digest) {
  return digest == nullptr ? "" : std::string(reinterpret_cast<const char*>(digest), kDigestBytes);
}

absl::StatusOr<v1::Namespace> ToNamespace(const cairn_namespace* given) {
  CAIRN_ASSIGN_OR_RETURN(const cairn_namespace known, Known(given, "namespace"));
  v1::Namespace ns;
  ns.set_model(Text(known.model));
  ns.set_model_digest(Digest(known.model_digest));
  ns.set_adapter_digest(Digest(known.adapter_digest));
  ns.set_kv_dtype(Text(known.kv_dtype));
  ns.set_layout(Text(known.layout));
  ns.set_hash_scheme(Text(known.hash_scheme));
  ns.set_layers(known.layers);
  ns.set_kv_heads(known.kv_heads);
  ns.set_head_size(known.head_size);
  ns.set_tokens_per_block(known.tokens_per_block);
  ns.set_tensor_parallel_rank(known.tensor_parallel_rank);
  ns.set_tensor_parallel_size(known.tensor_parallel_size);
  ns.set_pipeline_rank(known.pipeline_rank);
  ns.set_pipeline_size(known.pipeline_size);
  ns.set_cache_group(known.cache_group);
  ns.set_block_bytes(known.block_bytes);
  return ns;
}

absl::StatusOr<ClientOptions> ToOptions(const cairn_options& known) {
  ClientOptions options;
  if (known.urgency != nullptr) {
    CAIRN_ASSIGN_OR_RETURN(const v1::Urgency urgency,
                           ParseUrgency("options.urgency", known.urgency));
    options.urgency = OnWire(urgency);
  }
  if (known.coordinators != nullptr) {
    options.coordinators =
        absl::StrSplit(known.coordinators, absl::ByAnyChar(", "), absl::SkipEmpty());
  }
  if (known.tenant_file == nullptr) {
    return absl::InvalidArgumentError(
        "options.tenant_file: NULL; make one with `cairn tenant add NAME --out FILE`");
  }
  CAIRN_ASSIGN_OR_RETURN(const TenantFile tenant, ReadTenantFile(known.tenant_file, RealDisk()));
  options.tenant = tenant.name;
  options.secret = tenant.secret;
  if (known.operations_max != 0) options.operations_max = known.operations_max;
  if (known.inflight_bytes_max != 0) options.inflight_bytes_max = known.inflight_bytes_max;
  if (known.connect_timeout_ns != 0) {
    options.connect_timeout = absl::Nanoseconds(known.connect_timeout_ns);
  }
  if (known.lease_ns != 0) options.lease = absl::Nanoseconds(known.lease_ns);
  return options;
}

absl::StatusOr<std::unique_ptr<cairn_client>> Connect(const cairn_options* given_options,
                                                      const cairn_namespace* given_ns) {
  CAIRN_ASSIGN_OR_RETURN(const cairn_options known, Known(given_options, "options"));
  CAIRN_ASSIGN_OR_RETURN(const v1::Namespace ns, ToNamespace(given_ns));
  CAIRN_ASSIGN_OR_RETURN(const ClientOptions options, ToOptions(known));
  RealNetworkOptions network;
  network.tls = {Text(known.ca_file), Text(known.certificate_file), Text(known.key_file)};
  if (known.ucx_tls != nullptr) network.ucx.tls = known.ucx_tls;
  auto client = std::make_unique<cairn_client>();
  CAIRN_ASSIGN_OR_RETURN(client->network, CreateRealNetwork(network));
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *client->network};
  CAIRN_ASSIGN_OR_RETURN(client->client, Client::Connect(options, ns, runtime));
  return client;
}

BlockKey ToKey(const cairn_key& key) {
  BlockKey result;
  std::memcpy(result.bytes.data(), key.bytes, sizeof(key.bytes));
  return result;
}

absl::Status CheckTransfer(const cairn_transfer& transfer) {
  if (transfer.region == nullptr) return absl::InvalidArgumentError("region: NULL");
  if (transfer.extents == nullptr || transfer.extents_count == 0 ||
      transfer.extents_count > kExtentsPerTransferMax) {
    return absl::InvalidArgumentError(absl::StrCat("extents_count: ", transfer.extents_count,
                                                   "; 1 to ", kExtentsPerTransferMax,
                                                   ", and extents not NULL"));
  }
  if (transfer.reserved[0] != 0 || transfer.reserved[1] != 0) {
    return absl::InvalidArgumentError("reserved: not zero; zero the struct before you fill it");
  }
  return absl::OkStatus();
}

// Into client.transfers.
absl::Status TakeBatch(cairn_client& client, const cairn_transfer* batch, size_t count) {
  if (batch == nullptr) return absl::InvalidArgumentError("batch: NULL");
  client.transfers.clear();
  client.extents.clear();
  for (size_t i = 0; i < count; ++i) {
    if (const absl::Status status = CheckTransfer(batch[i]); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("batch[", i, "].", status.message()));
    }
    for (const cairn_extents& list : absl::MakeSpan(batch[i].extents, batch[i].extents_count)) {
      client.extents.push_back({list.base_bytes, list.stride_bytes, list.count, list.size_bytes});
    }
  }
  const Extents* next = client.extents.data();
  for (const cairn_transfer& given : absl::MakeSpan(batch, count)) {
    Transfer& transfer = client.transfers.emplace_back();
    transfer.key = ToKey(given.key);
    transfer.region = given.region->region.get();
    transfer.extents = {next, given.extents_count};
    transfer.tag = given.tag;
    transfer.parent = ToKey(given.parent);
    transfer.position = given.position;
    transfer.run_key = ToKey(given.run_key);
    next += given.extents_count;
  }
  return absl::OkStatus();
}

absl::StatusOr<PutHints> ToHints(const cairn_put_hints* given) {
  if (given == nullptr) return PutHints{};
  CAIRN_ASSIGN_OR_RETURN(const cairn_put_hints known, Known(given, "hints"));
  if (known.priority < -1 || known.priority > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("hints.priority: ", known.priority, "; give -1, 0 or 1"));
  }
  return PutHints{.will_return = known.will_return != 0,
                  .one_off = known.one_off != 0,
                  .priority = static_cast<PutPriority>(known.priority)};
}

using PutCall = absl::Status (Client::*)(absl::Span<const Transfer>, const PutHints&, Instant);

absl::Status Put(PutCall call, cairn_client* client, const cairn_transfer* batch, size_t count,
                 const cairn_put_hints* given_hints, int64_t deadline_ns) {
  if (client == nullptr) return absl::InvalidArgumentError("client: NULL");
  CAIRN_ASSIGN_OR_RETURN(const PutHints hints, ToHints(given_hints));
  CAIRN_RETURN_IF_ERROR(TakeBatch(*client, batch, count));
  return (client->client.get()->*call)(client->transfers, hints, Instant{deadline_ns});
}

cairn_completion ToC(const Completion& completion) {
  cairn_completion result{};
  result.tag = completion.tag;
  result.code = -static_cast<int32_t>(completion.code);
  result.reason = static_cast<uint32_t>(completion.reason);
  result.lease = static_cast<cairn_lease>(completion.lease);
  result.blocks = completion.blocks;
  return result;
}

cairn_statistics ToC(const ClientStatistics& from, const Histogram& latency_ns) {
  cairn_statistics result{};
  result.gets = from.gets;
  result.get_hits = from.get_hits;
  result.get_bytes = from.get_bytes;
  result.puts = from.puts;
  result.puts_stored = from.put_stored;
  result.put_bytes = from.put_bytes;
  result.matches = from.matches;
  result.locates = from.locates;
  result.location_cache_hits = from.location_cache_hits;
  result.reconnects = from.reconnects;
  result.fences = from.fences;
  result.checksum_failures = from.checksum_failures;
  result.late_arrivals_refused = from.late_arrivals_refused;
  result.get_p50_ns = latency_ns.Snapshot().Quantile(0.5);
  result.get_p99_ns = latency_ns.Snapshot().Quantile(0.99);
  return result;
}

// wake_fd first.
std::vector<pollfd> Descriptors(absl::Span<cairn_client* const> clients, int wake_fd) {
  std::vector<pollfd> descriptors;
  descriptors.reserve(clients.size() + 1);
  descriptors.push_back({wake_fd, POLLIN, 0});
  for (const cairn_client* client : clients) {
    if (client != nullptr) descriptors.push_back({client->client->event_fd(), POLLIN, 0});
  }
  return descriptors;
}

}  // namespace
}  // namespace cairn

extern "C" {

int cairn_connect(const cairn_options* options, const cairn_namespace* ns, cairn_client** out) {
  if (out == nullptr) return cairn::ReportNull("out");
  *out = nullptr;
  auto client = cairn::Connect(options, ns);
  if (client.ok()) *out = client->release();
  return cairn::Report(client.status());
}

void cairn_close(cairn_client* client) {
  if (client == nullptr) return;
  client->client.reset();
  delete client;
}

int cairn_register(cairn_client* client, void* base, uint64_t size_bytes, cairn_region** out) {
  const cairn_piece piece = {base, size_bytes};
  return cairn_register_pieces(client, &piece, 1, out);
}

int cairn_register_pieces(cairn_client* client, const cairn_piece* pieces, size_t count,
                          cairn_region** out) {
  if (out == nullptr) return cairn::ReportNull("out");
  *out = nullptr;
  if (client == nullptr) return cairn::ReportNull("client");
  if (pieces == nullptr) return cairn::ReportNull("pieces");
  std::vector<absl::Span<std::byte>> memory;
  const size_t known = std::min(count, cairn::kRegionPiecesMax + 1);
  memory.reserve(known);
  for (const cairn_piece& piece : absl::MakeSpan(pieces, known)) {
    if (piece.base == nullptr) return cairn::ReportNull("base");
    memory.emplace_back(static_cast<std::byte*>(piece.base), piece.size_bytes);
  }
  auto region = client->client->RegisterPieces(memory);
  if (!region.ok()) return cairn::Report(region.status());
  *out = new cairn_region{*std::move(region)};
  return CAIRN_OK;
}

void cairn_unregister(cairn_region* region) { delete region; }

int cairn_make_keys(const cairn_client* client, const void* block_hashes, size_t hash_bytes,
                    size_t count, cairn_key* out) {
  if (client == nullptr) return cairn::ReportNull("client");
  if (block_hashes == nullptr) return cairn::ReportNull("block_hashes");
  if (out == nullptr) return cairn::ReportNull("out");
  if (hash_bytes == 0 || hash_bytes > cairn::kBlockHashBytesMax) {
    return cairn::Report(absl::InvalidArgumentError(
        absl::StrCat("hash_bytes: ", hash_bytes, "; 1 to ", cairn::kBlockHashBytesMax)));
  }
  const auto* hash = static_cast<const std::byte*>(block_hashes);
  for (size_t i = 0; i < count; ++i, hash += hash_bytes) {
    const cairn::BlockKey key = client->client->MakeKey({hash, hash_bytes});
    std::memcpy(out[i].bytes, key.bytes.data(), sizeof(out[i].bytes));
  }
  return CAIRN_OK;
}

uint32_t cairn_run_start(uint32_t position) { return cairn::RunStart(position); }

int cairn_match(cairn_client* client, const cairn_key* chain, size_t count, uint64_t tag,
                int64_t deadline_ns) {
  if (client == nullptr) return cairn::ReportNull("client");
  if (chain == nullptr) return cairn::ReportNull("chain");
  client->chain.clear();
  for (const cairn_key& key : absl::MakeSpan(chain, count)) {
    client->chain.push_back(cairn::ToKey(key));
  }
  return cairn::Report(client->client->Match(client->chain, tag, cairn::Instant{deadline_ns}));
}

int cairn_get(cairn_client* client, const cairn_transfer* batch, size_t count, cairn_lease lease,
              int64_t deadline_ns) {
  if (client == nullptr) return cairn::ReportNull("client");
  if (const absl::Status status = cairn::TakeBatch(*client, batch, count); !status.ok()) {
    return cairn::Report(status);
  }
  return cairn::Report(
      client->client->Get(client->transfers, cairn::LeaseId{lease}, cairn::Instant{deadline_ns}));
}

int cairn_put(cairn_client* client, const cairn_transfer* batch, size_t count,
              const cairn_put_hints* hints, int64_t deadline_ns) {
  return cairn::Report(cairn::Put(&cairn::Client::Put, client, batch, count, hints, deadline_ns));
}

int cairn_put_behind(cairn_client* client, const cairn_transfer* batch, size_t count,
                     const cairn_put_hints* hints, int64_t deadline_ns) {
  return cairn::Report(
      cairn::Put(&cairn::Client::PutBehind, client, batch, count, hints, deadline_ns));
}

void cairn_release(cairn_client* client, cairn_lease lease) {
  if (client != nullptr) client->client->Release(cairn::LeaseId{lease});
}

size_t cairn_poll(cairn_client* client, cairn_completion* out, size_t capacity) {
  if (client == nullptr || out == nullptr) return 0;
  cairn::Completion completions[cairn::kPollMax];
  const size_t count = client->client->Poll({completions, std::min(capacity, cairn::kPollMax)});
  std::transform(completions, completions + count, out,
                 [](const cairn::Completion& completion) { return cairn::ToC(completion); });
  return count;
}

int cairn_event_fd(const cairn_client* client) {
  return client == nullptr ? -1 : client->client->event_fd();
}

int cairn_prepare_to_sleep(cairn_client* client) {
  return client != nullptr && client->client->PrepareToSleep() ? 1 : 0;
}

void cairn_wait(cairn_client* client, int64_t timeout_ns) {
  if (cairn_prepare_to_sleep(client) == 0) return;
  const int64_t bounded_ns = std::clamp<int64_t>(timeout_ns, 0, cairn::kWaitMax_ns);
  pollfd waiting{client->client->event_fd(), POLLIN, 0};
  const timespec timeout{bounded_ns / 1'000'000'000, bounded_ns % 1'000'000'000};
  ppoll(&waiting, 1, &timeout, nullptr);
}

size_t cairn_advance(cairn_client* const* clients, size_t count, int wake_fd, int64_t timeout_ns,
                     cairn_completion* out, size_t capacity, size_t* of) {
  if ((clients == nullptr && count > 0) || out == nullptr || of == nullptr) return 0;
  const absl::Span<cairn_client* const> all(clients, count);
  std::vector<pollfd> waiting = cairn::Descriptors(all, wake_fd);
  const int64_t until_ns =
      cairn::RealClock().Now().ns + std::clamp<int64_t>(timeout_ns, 0, cairn::kWaitMax_ns);
  while (true) {
    bool may_sleep = true;
    for (size_t i = 0; i < count; ++i) {
      if (all[i] == nullptr) continue;
      all[i]->client->Poll({});
      if (all[i]->client->HasEnded()) {
        *of = i;
        return cairn_poll(all[i], out, capacity);
      }
      may_sleep = all[i]->client->PrepareToSleep() && may_sleep;
    }
    const int64_t left_ns = std::max<int64_t>(until_ns - cairn::RealClock().Now().ns, 0);
    const int64_t sleep_ns = may_sleep ? left_ns : 0;
    const timespec timeout{sleep_ns / 1'000'000'000, sleep_ns % 1'000'000'000};
    ppoll(waiting.data(), waiting.size(), &timeout, nullptr);
    if ((waiting[0].revents & POLLIN) != 0) {
      eventfd_t count_of_wakes = 0;
      eventfd_read(wake_fd, &count_of_wakes);
      return 0;
    }
    if (left_ns == 0) return 0;
  }
}

int cairn_ready(const cairn_client* client) {
  return client != nullptr && client->client->ready() ? 1 : 0;
}

int cairn_get_statistics(const cairn_client* client, cairn_statistics* out) {
  if (client == nullptr) return cairn::ReportNull("client");
  const auto known = cairn::Known(out, "out");
  if (!known.ok()) return cairn::Report(known.status());
  cairn_statistics now = cairn::ToC(client->client->statistics(), client->client->get_latency_ns());
  now.struct_bytes = known->struct_bytes;
  std::memcpy(out, &now, std::min<size_t>(known->struct_bytes, sizeof(now)));
  return CAIRN_OK;
}

const char* cairn_miss_reason_name(uint32_t reason) {
  const auto newest = static_cast<uint32_t>(cairn::wire::MissReason::kMax);
  return reason > newest
             ? "unknown"
             : cairn::wire::MissReasonName(static_cast<cairn::wire::MissReason>(reason));
}

const char* cairn_error(void) { return cairn::last_error.c_str(); }

const char* cairn_version(void) { return cairn::Version(); }

const char* cairn_server_version(const cairn_client* client) {
  return client == nullptr ? "" : client->client->server_version().c_str();
}

}  // extern "C"
