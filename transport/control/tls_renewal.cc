#include "transport/control/tls_renewal.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace cairn {

absl::StatusOr<std::unique_ptr<TlsRenewal>> TlsRenewal::Create(Read read) {
  CAIRN_ASSIGN_OR_RETURN(TlsTexts texts, read());
  return std::unique_ptr<TlsRenewal>(new TlsRenewal(std::move(read), std::move(texts)));
}

TlsRenewal::TlsRenewal(Read read, TlsTexts texts)
    : read_(std::move(read)),
      last_seen_(texts),
      texts_(std::make_shared<const TlsTexts>(std::move(texts))) {}

std::shared_ptr<const TlsTexts> TlsRenewal::texts() const {
  const MutexLock lock(mutex_);
  return texts_;
}

void TlsRenewal::Look() {
  absl::StatusOr<TlsTexts> seen = read_();
  const bool settled = seen == last_seen_;
  last_seen_ = std::move(seen);
  if (!settled) return;
  if (!last_seen_.ok()) {
    const std::string complaint(last_seen_.status().message());
    if (complaint == complaint_) return;
    complaint_ = complaint;
    Log(LogLevel::kWarning, "certificates_not_renewed", {{"why", complaint_}});
    return;
  }
  complaint_.clear();
  const MutexLock lock(mutex_);
  if (*last_seen_ == *texts_) return;
  texts_ = std::make_shared<const TlsTexts>(*last_seen_);
  Log(LogLevel::kInfo, "certificates_renewed");
}

TlsWatch::TlsWatch(TlsRenewal& renewal)
    : renewal_(renewal), thread_([this] { LookUntilStopped(); }) {}

TlsWatch::~TlsWatch() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void TlsWatch::LookUntilStopped() {
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (!stopping_) wake_.WaitFor(mutex_, kInterval);
      if (stopping_) return;
    }
    renewal_.Look();
  }
}

}  // namespace cairn
