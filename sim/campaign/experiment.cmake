# The experiment file: parsing, validation, expansion. Everything else of a campaign builds on it.
find_package(nlohmann_json REQUIRED)
find_package(valijson CONFIG REQUIRED)

# The published schema is compiled in, so that the tool validates wherever it is installed.
set(schema ${PROJECT_SOURCE_DIR}/configs/schema/experiment.schema.json)
set_property(
  DIRECTORY
  APPEND
  PROPERTY CMAKE_CONFIGURE_DEPENDS ${schema})
file(READ ${schema} SAGITTA_EXPERIMENT_SCHEMA)
configure_file(${CMAKE_CURRENT_LIST_DIR}/experiment_schema.cpp.in
               ${CMAKE_CURRENT_BINARY_DIR}/experiment_schema.cpp @ONLY)

add_library(
  sagitta_experiment STATIC
  experiment.cpp
  experiment_expand.cpp
  experiment_source.cpp
  json_schema.cpp
  json_text.cpp
  ${CMAKE_CURRENT_BINARY_DIR}/experiment_schema.cpp)
target_link_libraries(
  sagitta_experiment
  PUBLIC sagitta_options sagitta_base nlohmann_json::nlohmann_json
  PRIVATE valijson)
target_compile_definitions(sagitta_experiment
                           PRIVATE SAGITTA_DATA_DIR="${PROJECT_SOURCE_DIR}/configs")
