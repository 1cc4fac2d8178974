#include "server/cli/block_client.h"

#include <poll.h>
#include <sys/mman.h>

#include <cerrno>

#include <absl/strings/str_cat.h>

#include "base/status.h"
#include "cairn/v1/namespace.pb.h"
#include "client/tenant_file.h"
#include "proto/urgency.h"

namespace cairn {
namespace {

constexpr int kSleep_ms = 50;  // the client's descriptor wakes us; this bounds a lost wake-up

v1::Namespace OpaqueNamespace(const std::string& model, uint64_t block_bytes) {
  v1::Namespace ns;
  ns.set_model(model);
  ns.set_model_digest(std::string(32, '\x5a'));
  ns.set_kv_dtype("bf16");
  ns.set_layout("opaque");
  ns.set_layers(1);
  ns.set_kv_heads(1);
  ns.set_head_size(1);
  ns.set_tokens_per_block(512);
  ns.set_hash_scheme("cairn.opaque");
  ns.set_block_bytes(static_cast<uint32_t>(block_bytes));
  return ns;
}

}  // namespace

absl::Status BlockClientOptions::Validate() const {
  if (coordinators.empty()) {
    return absl::InvalidArgumentError(
        "coordinators: none given; add --coordinators 127.0.0.1:7400 (`cairn up` starts one)");
  }
  CAIRN_RETURN_IF_ERROR(network.tls.Validate());
  CAIRN_RETURN_IF_ERROR(ParseUrgency("urgency", urgency).status());
  const absl::StatusOr<TenantFile> tenant = ReadTenantFile(tenant_file, RealDisk());
  if (tenant.ok()) return absl::OkStatus();
  const char* const remedy =
      absl::IsInvalidArgument(tenant.status())
          ? ""
          : "; give --tenant-file FILE (`cairn up` writes one, `cairn tenant add` another)";
  return absl::InvalidArgumentError(
      absl::StrCat("tenant_file: ", tenant.status().message(), remedy));
}

absl::StatusOr<std::unique_ptr<BlockClient>> BlockClient::Connect(const BlockClientOptions& options,
                                                                  const std::string& model,
                                                                  size_t slots) {
  auto client = std::unique_ptr<BlockClient>(new BlockClient(options));
  CAIRN_ASSIGN_OR_RETURN(const TenantFile tenant, ReadTenantFile(options.tenant_file, RealDisk()));
  const size_t bytes = slots * options.block_bytes;
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return FromErrno(errno, absl::StrCat("mmap of ", bytes, " bytes"));
  client->memory_ = {static_cast<std::byte*>(mapped), Unmap{bytes}};
  CAIRN_ASSIGN_OR_RETURN(client->network_, CreateRealNetwork(options.network));
  Runtime runtime{RealClock(), RealRandom(), RealDisk(), *client->network_};
  ClientOptions client_options;
  client_options.coordinators = options.coordinators;
  client_options.tenant = tenant.name;
  client_options.secret = tenant.secret;
  CAIRN_ASSIGN_OR_RETURN(const v1::Urgency urgency, ParseUrgency("urgency", options.urgency));
  client_options.urgency = OnWire(urgency);
  CAIRN_ASSIGN_OR_RETURN(
      client->client_,
      Client::Connect(client_options, OpaqueNamespace(model, options.block_bytes), runtime));
  CAIRN_ASSIGN_OR_RETURN(client->region_,
                         client->client_->Register({client->memory_.get(), bytes}));
  for (size_t i = 0; i < slots; ++i) {
    client->extents_.push_back(
        {i * options.block_bytes, 0, 1, static_cast<uint32_t>(options.block_bytes)});
  }
  return client;
}

void BlockClient::Unmap::operator()(std::byte* memory) const { munmap(memory, bytes); }

absl::Span<std::byte> BlockClient::Slot(size_t i) const {
  return {memory_.get() + i * block_bytes_, block_bytes_};
}

Transfer BlockClient::MakeTransfer(absl::Span<const BlockKey> chain, size_t position,
                                   size_t slot) const {
  Transfer transfer;
  transfer.key = chain[position];
  transfer.region = region_.get();
  transfer.extents = {&extents_[slot], 1};
  transfer.tag = slot;
  transfer.position = static_cast<uint32_t>(position);
  transfer.parent = position == 0 ? BlockKey{} : chain[position - 1];
  transfer.run_key = chain[RunStart(static_cast<uint32_t>(position))];
  return transfer;
}

size_t BlockClient::Collect(absl::Span<Completion> out) {
  const size_t count = client_->Poll(out);
  if (count > 0) return count;
  if (client_->PrepareToSleep()) {
    pollfd waiting{client_->event_fd(), POLLIN, 0};
    poll(&waiting, 1, kSleep_ms);
  }
  nothing_until_ = RealClock().Now();
  return 0;
}

}  // namespace cairn
