# What `cmake --install` and CPack put where, in three components: Runtime (libsectile.so),
# Development (header, archive, CMake package, pkg-config file) and Compiler (the sectile program).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Sectile)

set_target_properties(sectile_shared PROPERTIES EXPORT_NAME runtime)
set_target_properties(sectile_runtime PROPERTIES EXPORT_NAME runtime_static)
install(TARGETS sectile_shared EXPORT SectileTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT Runtime NAMELINK_COMPONENT Development)
install(TARGETS sectile_runtime EXPORT SectileTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT Development)
install(FILES include/sectile/sectile.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sectile COMPONENT Development)
install(EXPORT SectileTargets NAMESPACE Sectile:: DESTINATION ${package_folder} COMPONENT Development)
install(TARGETS sectile RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT Compiler)

configure_package_config_file(cmake/SectileConfig.cmake.in ${CMAKE_BINARY_DIR}/SectileConfig.cmake
  INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/SectileConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_BINARY_DIR}/SectileConfig.cmake
  ${CMAKE_BINARY_DIR}/SectileConfigVersion.cmake
  cmake/SectileCompile.cmake
  DESTINATION ${package_folder} COMPONENT Development)

# Paths relative to the file itself, so that the tree can be moved.
file(RELATIVE_PATH pkgconfig_prefix
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/sectile.pc.in ${CMAKE_BINARY_DIR}/sectile.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/sectile.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT Development)

# Licenses, where Debian expects them: ours, and of what the compiler holds, from the packages it is
# built with.
set(doc ${CMAKE_INSTALL_DATAROOTDIR}/doc)
foreach(pair Runtime:libsectile1 Development:libsectile-dev Compiler:sectile)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  install(FILES LICENSE DESTINATION ${doc}/${package} COMPONENT ${component} RENAME copyright)
endforeach()
foreach(package llvm-22-dev libprotobuf-dev zlib1g-dev libzstd-dev libonnx-dev gcc-12-base)
  install(FILES /usr/share/doc/${package}/copyright OPTIONAL
    DESTINATION ${doc}/sectile COMPONENT Compiler RENAME copyright.${package})
endforeach()

# Debian packages, one per component: `cpack --config build/CPackConfig.cmake`.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sectile)
set(CPACK_PACKAGE_VENDOR "Sectile")
set(CPACK_PACKAGE_CONTACT "the Sectile maintainers <maintainers@sectile.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "ahead-of-time compiler for machine-learning models")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL Runtime Development Compiler)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libsectile1)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "libc6 (>= 2.34)")
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "library that runs compiled models")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libsectile-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libsectile1 (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "sectile (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "header, CMake package and archive of the library that runs compiled models")
set(CPACK_DEBIAN_COMPILER_PACKAGE_NAME sectile)
set(CPACK_DEBIAN_COMPILER_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_COMPILER_PACKAGE_DEPENDS "libc6 (>= 2.36)")
set(CPACK_COMPONENT_COMPILER_DESCRIPTION "ahead-of-time compiler for machine-learning models")
include(CPack)
