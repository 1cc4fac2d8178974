// The page's files, embedded when the program was built (web/dist, which ./dev dashboard makes).
#ifndef CAIRN_SERVER_DASHBOARD_WEB_FILES_H_
#define CAIRN_SERVER_DASHBOARD_WEB_FILES_H_

#include <string_view>

namespace cairn {

std::string_view DashboardHtml();
std::string_view DashboardJs();
std::string_view DashboardCss();
std::string_view DashboardIcon();
std::string_view LoginHtml();

}  // namespace cairn

#endif  // CAIRN_SERVER_DASHBOARD_WEB_FILES_H_
