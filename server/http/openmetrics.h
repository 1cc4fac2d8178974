// The two texts that Prometheus reads. Ours are written in the older one; what differs is little.
#ifndef CAIRN_SERVER_HTTP_OPENMETRICS_H_
#define CAIRN_SERVER_HTTP_OPENMETRICS_H_

#include <string>
#include <string_view>

#include "server/http/http_server.h"

namespace cairn {

// OpenMetrics 1.0 of whole lines in format 0.0.4 whose counters all end in _total: a counter's
// family has no such suffix, and the end is marked.
std::string ToOpenMetrics(std::string_view text);
HttpReply OpenMetricsReply(std::string_view text);
// In the format that the request's Accept prefers; 0.0.4 if it says nothing.
HttpReply MetricsReply(const HttpRequest& request, std::string text);

}  // namespace cairn

#endif  // CAIRN_SERVER_HTTP_OPENMETRICS_H_
