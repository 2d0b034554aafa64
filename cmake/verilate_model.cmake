# Runs the command of FOLDER/command.txt, and writes FOLDER/model.cpp, which includes all that the
# command has generated for MODEL, and FOLDER/model.d, which names all that it has read. See
# Verilate.cmake.
file(STRINGS ${FOLDER}/command.txt command)
file(REMOVE_RECURSE ${FOLDER}/generated ${FOLDER}/model.cpp)  # a run that fails leaves nothing
file(MAKE_DIRECTORY ${FOLDER}/generated)
execute_process(COMMAND ${command} COMMAND_ERROR_IS_FATAL ANY)

file(GLOB generated ${FOLDER}/generated/*.cpp)
list(TRANSFORM generated REPLACE "(.+)" "#include \"\\1\"\n")
list(JOIN generated "" includes)
file(WRITE ${FOLDER}/model.cpp "${includes}")
# Verilator names all that it writes in front of the colon, Ninja wants the command's output.
file(READ ${FOLDER}/generated/${MODEL}__ver.d read)
string(REGEX REPLACE "^[^:]*:" "${FOLDER}/model.cpp:" read "${read}")
file(WRITE ${FOLDER}/model.d "${read}")
