# The RTL as C++, by Verilator.
#
# sagitta_verilate(target RTL folder [REPLACED_BY folder] [FILES file...] [ARGS argument...])
#
# `target` becomes a library with the model V<target> of sagitta.sv. Modules are looked for in
# REPLACED_BY first, then in the folders of RTL; FILES are Verilator's configuration, ARGS what else
# it is told.
#
# Verilator runs when the library is built, and again when a file that it read last time has changed
# or has gone: which those are, only Verilator knows. (Its own verilate() runs it when CMake
# configures, and then cannot do without any of them.)
find_package(verilator QUIET HINTS /usr/share/verilator $ENV{VERILATOR_ROOT})
set(SAGITTA_VERILATE_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/verilate_model.cmake)

# Arguments by which Verilator finds the modules of a folder of RTL: a file each, by its name.
function(sagitta_rtl_search out rtl)
  set(search)
  foreach(folder IN ITEMS array control memory resilience vector)
    list(APPEND search -y ${rtl}/${folder})
  endforeach()
  set(${out} ${search} PARENT_SCOPE)
endfunction()

function(sagitta_verilate target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "RTL;REPLACED_BY" "FILES;ARGS")
  # Verilator's runtime, once for all models.
  if(NOT TARGET verilated_runtime)
    set(runtime verilated.cpp verilated_dpi.cpp verilated_threads.cpp)
    list(TRANSFORM runtime PREPEND ${VERILATOR_ROOT}/include/)
    add_library(verilated_runtime STATIC ${runtime})
    target_include_directories(verilated_runtime SYSTEM PUBLIC ${VERILATOR_ROOT}/include
                                                               ${VERILATOR_ROOT}/include/vltstd)
    target_compile_definitions(verilated_runtime PRIVATE VM_COVERAGE=0 VM_SC=0 VM_TRACE=0)
  endif()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target})
  sagitta_rtl_search(search ${arg_RTL})
  if(arg_REPLACED_BY)
    list(PREPEND search -y ${arg_REPLACED_BY})
  endif()
  set(command ${VERILATOR_BIN} --cc --top sagitta --prefix V${target} --Mdir ${folder}/generated
              ${search} ${arg_ARGS} ${arg_FILES} ${arg_RTL}/sagitta.sv)
  list(JOIN command "\n" lines)
  file(CONFIGURE OUTPUT ${folder}/command.txt CONTENT "${lines}\n" @ONLY)
  add_custom_command(
    OUTPUT ${folder}/model.cpp
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DMODEL=V${target} -P ${SAGITTA_VERILATE_SCRIPT}
    DEPENDS ${VERILATOR_BIN} ${SAGITTA_VERILATE_SCRIPT} ${folder}/command.txt
    DEPFILE ${folder}/model.d
    COMMENT "Verilating ${target}"
    VERBATIM)
  add_library(${target} STATIC ${folder}/model.cpp)
  target_include_directories(${target} SYSTEM PUBLIC ${folder}/generated)
  target_compile_definitions(${target} PRIVATE VM_COVERAGE=0 VM_SC=0 VM_TRACE=0)
  target_link_libraries(${target} PUBLIC verilated_runtime)
endfunction()

# `source` includes the model's header, so that it is compiled after it, and again with it.
function(sagitta_uses_model source target)
  set_property(SOURCE ${source} APPEND PROPERTY OBJECT_DEPENDS
                                                ${CMAKE_CURRENT_BINARY_DIR}/${target}/model.cpp)
endfunction()
