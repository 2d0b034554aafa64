# Finds SystemC and defines the target SystemC::systemc.
#
# Looks, in this order, at SYSTEMC_HOME (CMake or environment variable: a build of one's own), at
# pkg-config (what Debian's libsystemc-dev provides), and at the compiler's default paths.
#
# The library refuses to link when it was built for another C++ level than the one in use. Whether
# that is so differs between builds, so it is probed: if a program does not link as it is, it is
# tried with SystemC's own override, SC_CPLUSPLUS=201703L, and the override becomes part of the
# target. Result variables: SystemC_FOUND, SystemC_VERSION, SystemC_INCLUDE_DIR, SystemC_LIBRARY.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_SystemC QUIET systemc)
endif()

set(_systemc_roots)
foreach(root IN ITEMS "${SYSTEMC_HOME}" "$ENV{SYSTEMC_HOME}")
  if(root)
    list(APPEND _systemc_roots "${root}")
  endif()
endforeach()

if(_systemc_roots)
  find_path(SystemC_INCLUDE_DIR systemc HINTS ${_systemc_roots} PATH_SUFFIXES include NO_DEFAULT_PATH)
  find_library(SystemC_LIBRARY systemc HINTS ${_systemc_roots}
               PATH_SUFFIXES lib lib-linux64 lib64 NO_DEFAULT_PATH)
endif()
find_path(SystemC_INCLUDE_DIR systemc HINTS ${PC_SystemC_INCLUDE_DIRS})
find_library(SystemC_LIBRARY systemc HINTS ${PC_SystemC_LIBRARY_DIRS})

if(SystemC_INCLUDE_DIR AND SystemC_LIBRARY AND NOT DEFINED SystemC_LINKS)
  find_package(Threads REQUIRED)
  include(CheckCXXSourceCompiles)
  set(_probe "#include <systemc>\nint sc_main(int, char**) { sc_core::sc_time t; return t > t; }")
  set(CMAKE_REQUIRED_INCLUDES ${SystemC_INCLUDE_DIR})
  set(CMAKE_REQUIRED_LIBRARIES ${SystemC_LIBRARY} Threads::Threads)
  set(CMAKE_REQUIRED_FLAGS "-std=c++${CMAKE_CXX_STANDARD}")
  check_cxx_source_compiles("${_probe}" SystemC_LINKS_AS_IS)
  if(SystemC_LINKS_AS_IS)
    set(SystemC_LINKS "as is" CACHE INTERNAL "")
    set(SystemC_DEFINITIONS "" CACHE INTERNAL "")
  else()
    set(CMAKE_REQUIRED_DEFINITIONS -DSC_CPLUSPLUS=201703L)
    check_cxx_source_compiles("${_probe}" SystemC_LINKS_WITH_OVERRIDE)
    if(SystemC_LINKS_WITH_OVERRIDE)
      set(SystemC_LINKS "with SC_CPLUSPLUS=201703L" CACHE INTERNAL "")
      set(SystemC_DEFINITIONS "SC_CPLUSPLUS=201703L" CACHE INTERNAL "")
    endif()
  endif()
  foreach(v IN ITEMS INCLUDES LIBRARIES FLAGS DEFINITIONS)
    unset(CMAKE_REQUIRED_${v})
  endforeach()
endif()

if(SystemC_INCLUDE_DIR AND EXISTS "${SystemC_INCLUDE_DIR}/sysc/kernel/sc_ver.h")
  file(STRINGS "${SystemC_INCLUDE_DIR}/sysc/kernel/sc_ver.h" _lines
       REGEX "#define SC_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
  string(REGEX REPLACE "[^0-9;]" "" _numbers "${_lines}")
  string(REPLACE ";" "." SystemC_VERSION "${_numbers}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  SystemC
  REQUIRED_VARS SystemC_LIBRARY SystemC_INCLUDE_DIR SystemC_LINKS
  VERSION_VAR SystemC_VERSION
  REASON_FAILURE_MESSAGE
    "install Debian's libsystemc-dev, or set SYSTEMC_HOME to a build of your own that links with C++${CMAKE_CXX_STANDARD}")

if(SystemC_FOUND AND NOT TARGET SystemC::systemc)
  find_package(Threads REQUIRED)
  add_library(SystemC::systemc UNKNOWN IMPORTED)
  set_target_properties(
    SystemC::systemc
    PROPERTIES IMPORTED_LOCATION "${SystemC_LIBRARY}"
               INTERFACE_INCLUDE_DIRECTORIES "${SystemC_INCLUDE_DIR}"
               INTERFACE_COMPILE_DEFINITIONS "${SystemC_DEFINITIONS}"
               INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
mark_as_advanced(SystemC_INCLUDE_DIR SystemC_LIBRARY)
