#include "transport/real_network.h"

#include <optional>
#include <utility>

#include "base/status.h"
#include "transport/ucx/ucx_worker.h"

namespace cairn {
namespace {

class RealNetwork final : public Network {
 public:
  RealNetwork(const RealNetworkOptions& options, std::unique_ptr<TlsRenewal> renewal,
              UcpContext context)
      : options_(options), context_(std::move(context)), renewal_(std::move(renewal)) {
    if (options.tls.enabled()) watch_.emplace(*renewal_);
  }

  absl::StatusOr<std::unique_ptr<Worker>> CreateWorker() override {
    return UcxWorker::Create(context_.get(), options_.ucx);
  }
  absl::StatusOr<std::unique_ptr<ControlChannel>> OpenControlChannel(
      const std::string& address) override {
    return OpenGrpcChannel(address, options_.tls, *renewal_, *calls_);
  }

 private:
  const RealNetworkOptions options_;
  const UcpContext context_;
  const std::unique_ptr<TlsRenewal> renewal_;
  std::optional<TlsWatch> watch_;
  const std::unique_ptr<GrpcCalls> calls_ = GrpcCalls::Create();
};

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> CreateRealNetwork(const RealNetworkOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<TlsRenewal> renewal,
                         TlsRenewal::Create([tls = options.tls] { return ReadTls(tls); }));
  CAIRN_ASSIGN_OR_RETURN(UcpContext context, CreateUcpContext(options.ucx));
  return std::make_unique<RealNetwork>(options, std::move(renewal), std::move(context));
}

}  // namespace cairn
