# What `cmake --install` and `cpack -G DEB` bring: the program, both libraries, the header, what
# pkg-config and find_package need, the module for stock Lua.
include(CMakePackageConfigHelpers)

set_target_properties(libmphost PROPERTIES EXPORT_NAME mphost)
set_target_properties(libmphost_static PROPERTIES EXPORT_NAME static)
set(lua_modules ${CMAKE_INSTALL_LIBDIR}/lua/5.4)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mphost)

install(TARGETS mphost)
install(TARGETS libmphost libmphost_static EXPORT mphost)
install(TARGETS mphost_module LIBRARY DESTINATION ${lua_modules})
install(FILES lua/mphost/types.d.lua DESTINATION ${CMAKE_INSTALL_DATADIR}/mphost)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(FILES host/mphost.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES host/mphost.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME mphost)

# Both find the prefix from where they lie themselves.
file(RELATIVE_PATH PC_UP /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(host/cmake/mphost.pc.in mphost.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mphost.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(host/cmake/mphost-config.cmake.in mphost-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(mphost-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mphost-config.cmake
              ${PROJECT_BINARY_DIR}/mphost-config-version.cmake DESTINATION ${package_dir})
install(EXPORT mphost NAMESPACE mphost:: FILE mphost-targets.cmake DESTINATION ${package_dir})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mphost)
set(CPACK_PACKAGE_CONTACT "the authors of mphost <mphost@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6 (>= 2.34), liblua5.4-0")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libedit2, liblua5.4-dev")
set(CPACK_DEBIAN_PACKAGE_SECTION interpreters)
set(CPACK_STRIP_FILES OFF)
include(CPack)
