# The experiment file: parsing, validation, expansion. Everything else of a campaign builds on it.
find_package(nlohmann_json REQUIRED)
find_package(valijson CONFIG REQUIRED)

# The published schemas are compiled in, so that the tool validates wherever it is installed.
foreach(name IN ITEMS EXPERIMENT WORKLOAD)
  string(TOLOWER ${name} file)
  set(schema ${PROJECT_SOURCE_DIR}/configs/schema/${file}.schema.json)
  set_property(
    DIRECTORY
    APPEND
    PROPERTY CMAKE_CONFIGURE_DEPENDS ${schema})
  file(READ ${schema} SAGITTA_${name}_SCHEMA)
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/schemas.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/schemas.cpp
               @ONLY)

add_library(
  sagitta_experiment STATIC
  dataflows.cpp
  experiment.cpp
  experiment_expand.cpp
  experiment_models.cpp
  experiment_source.cpp
  json_schema.cpp
  json_text.cpp
  sample_plan.cpp
  scheme.cpp
  scheme_names.cpp
  workload_file.cpp
  ${CMAKE_CURRENT_BINARY_DIR}/schemas.cpp)
target_link_libraries(
  sagitta_experiment
  PUBLIC sagitta_options sagitta_base sagitta_fault sagitta_machine sagitta_workload nlohmann_json::nlohmann_json
  PRIVATE fmt::fmt valijson)
target_compile_definitions(sagitta_experiment
                           PRIVATE SAGITTA_DATA_DIR="${PROJECT_SOURCE_DIR}/configs")
