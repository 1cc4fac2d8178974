# Debian packages: cairn (the program), libcairn1 (the C library), libcairn-dev. packaging/debs.sh makes
# first what comes out of the program itself, then runs CPack. Paths begin at the root, for some lie in /etc.
set(packaging ${PROJECT_SOURCE_DIR}/packaging)
set(generated ${PROJECT_BINARY_DIR}/packaging)
set(libdir usr/lib/${CMAKE_LIBRARY_ARCHITECTURE})

install(TARGETS cairn RUNTIME DESTINATION usr/bin COMPONENT cairn)
install(FILES ${packaging}/cairn-coordinator.service ${packaging}/cairn-node.service
        DESTINATION lib/systemd/system COMPONENT cairn)
install(FILES ${packaging}/sysusers.conf RENAME cairn.conf DESTINATION usr/lib/sysusers.d COMPONENT cairn)
install(FILES ${packaging}/coordinator.yaml ${packaging}/node.yaml DESTINATION etc/cairn COMPONENT cairn)
install(DIRECTORY ${generated}/man/ DESTINATION usr/share/man/man1 COMPONENT cairn)
install(FILES ${generated}/completions/cairn
        DESTINATION usr/share/bash-completion/completions COMPONENT cairn)
install(FILES ${generated}/completions/_cairn DESTINATION usr/share/zsh/vendor-completions COMPONENT cairn)
install(FILES ${generated}/completions/cairn.fish
        DESTINATION usr/share/fish/vendor_completions.d COMPONENT cairn)

install(TARGETS cairn_shared EXPORT cairn
        LIBRARY DESTINATION ${libdir} COMPONENT library NAMELINK_COMPONENT dev
        INCLUDES DESTINATION usr/include)
install(FILES ${packaging}/lintian-overrides RENAME libcairn1
        DESTINATION usr/share/lintian/overrides COMPONENT library)
install(FILES ${PROJECT_SOURCE_DIR}/client/cairn.h DESTINATION usr/include COMPONENT dev)
install(EXPORT cairn NAMESPACE cairn:: FILE cairn-config.cmake
        DESTINATION ${libdir}/cmake/cairn COMPONENT dev)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cairn-config-version.cmake
                                 COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cairn-config-version.cmake
        DESTINATION ${libdir}/cmake/cairn COMPONENT dev)
configure_file(${packaging}/cairn.pc.in ${PROJECT_BINARY_DIR}/cairn.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cairn.pc DESTINATION ${libdir}/pkgconfig COMPONENT dev)

foreach(package cairn:cairn library:libcairn1 dev:libcairn-dev)
  string(REPLACE ":" ";" pair ${package})
  list(GET pair 0 component)
  list(GET pair 1 name)
  install(FILES ${packaging}/copyright ${generated}/changelog.gz
          DESTINATION usr/share/doc/${name} COMPONENT ${component})
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME cairn)
set(CPACK_PACKAGE_CONTACT "Cairn maintainers <maintainers@cairn.example>")
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL cairn library dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENT_DEV_DEPENDS library)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)

set(CPACK_DEBIAN_CAIRN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_CAIRN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_CAIRN_PACKAGE_CONTROL_EXTRA
    ${packaging}/postinst ${packaging}/prerm ${packaging}/postrm ${packaging}/conffiles)
set(CPACK_DEBIAN_CAIRN_DESCRIPTION
"distributed KV-cache tier for LLM inference
An engine computes the attention KV blocks of a prompt prefix once; nodes keep
them in memory and on NVMe; every engine that meets the same prefix fetches
them instead of computing them again.
.
This package has the program: coordinator, node and the tools of an operator.")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${packaging}/symbols ${packaging}/triggers)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION
"client library of Cairn, a KV-cache tier for LLM inference
Finds, fetches and stores the attention KV blocks of prompt prefixes in a
cluster of Cairn nodes.
.
This package has the shared library with its C interface.")

set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEV_DESCRIPTION
"client library of Cairn, a KV-cache tier for LLM inference (development)
Finds, fetches and stores the attention KV blocks of prompt prefixes in a
cluster of Cairn nodes.
.
This package has the C header and what CMake and pkg-config need to find it.")
include(CPack)
