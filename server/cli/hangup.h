// What SIGHUP was meant to do before any library changed it.
#ifndef CAIRN_SERVER_CLI_HANGUP_H_
#define CAIRN_SERVER_CLI_HANGUP_H_

namespace cairn {

// True under nohup. UCX catches SIGHUP as soon as it is loaded, and from the first one on would log
// every byte that moves: so this is found out before libraries are initialised.
bool HangupWasIgnored();

}  // namespace cairn

#endif  // CAIRN_SERVER_CLI_HANGUP_H_
