#include "transport/real_network.h"

#include <utility>

#include "base/status.h"
#include "transport/ucx/ucx_worker.h"

namespace cairn {
namespace {

class RealNetwork final : public Network {
 public:
  RealNetwork(const RealNetworkOptions& options, UcpContext context)
      : options_(options), context_(std::move(context)) {}

  absl::StatusOr<std::unique_ptr<Worker>> CreateWorker() override {
    return UcxWorker::Create(context_.get(), options_.ucx);
  }
  absl::StatusOr<std::unique_ptr<ControlChannel>> OpenControlChannel(
      const std::string& address) override {
    return OpenGrpcChannel(address, options_.tls, *calls_);
  }

 private:
  const RealNetworkOptions options_;
  const UcpContext context_;
  const std::unique_ptr<GrpcCalls> calls_ = GrpcCalls::Create();
};

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> CreateRealNetwork(const RealNetworkOptions& options) {
  CAIRN_RETURN_IF_ERROR(ReadTls(options.tls).status());
  CAIRN_ASSIGN_OR_RETURN(UcpContext context, CreateUcpContext(options.ucx));
  return std::make_unique<RealNetwork>(options, std::move(context));
}

}  // namespace cairn
