// libsystemc refers to sc_main, so every test program that links it needs one; GoogleTest has the
// real main. A sanitizer build links it into more programs than an optimised one does. Without
// <systemc>, whose version check would make every other test link the library as well.
extern "C" int sc_main(int argc, char** argv);
extern "C" int sc_main(int /*argc*/, char** /*argv*/) {
  return 0;
}
