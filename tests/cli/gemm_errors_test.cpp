// What can be wrong with a matrix product; C.npy is never left behind.
#include "cli/gemm_folder.h"

namespace sagitta::test {
namespace {

class CliGemmErrors : public GemmFolder {
 protected:
  CliGemmErrors() { make(5, 7, 6); }
  void bad(const Arguments& more, const std::vector<std::string>& parts) const {
    refuses(gemm(more) + Arguments{"-o", "C.npy"}, parts);
  }
  void bad_fault(const std::string& fault, const std::vector<std::string>& parts) const {
    bad({"--array", "4x4", "--fault", fault}, parts);
    bad({"--array", "4x4", "--fault", "array.pe[0][0].a:0@20", "--fault", fault, "--json"}, parts);
  }
};

TEST_F(CliGemmErrors, MissingFile) {
  std::filesystem::remove(path("A.npy"));
  bad({}, {"A.npy: there is no such file"});
  make(5, 7, 6);
  std::filesystem::remove(path("B.npy"));
  bad({}, {"B.npy: there is no such file"});
}

TEST_F(CliGemmErrors, NotNumPy) {
  write("A.npy", "1 2 3");
  bad({}, {"A.npy: "});
  write("A.npy", std::string());
  bad({}, {"A.npy: "});
}

TEST_F(CliGemmErrors, CutShort) {
  const std::string whole = contents(path("A.npy"));
  write("A.npy", whole.substr(0, whole.size() - 1));
  bad({}, {"A.npy: "});
}

TEST_F(CliGemmErrors, WrongType) {
  write_npy(path("B.npy"), {7, 6}, std::vector<std::int32_t>(42));
  bad({}, {"B.npy: its elements are not int8", "numpy.int8"});
}

TEST_F(CliGemmErrors, WrongShape) {
  write_npy(path("A.npy"), {35}, std::vector<std::int8_t>(35));
  bad({}, {"A.npy: has shape (35), not a matrix", "two-dimensional"});
  write_npy(path("A.npy"), {5, 1, 7}, std::vector<std::int8_t>(35));
  bad({}, {"A.npy: has shape (5 x 1 x 7), not a matrix"});
  write_npy(path("A.npy"), {0, 7}, std::vector<std::int8_t>());
  bad({}, {"A.npy: has shape (0 x 7)"});
}

TEST_F(CliGemmErrors, InnerSizesThatDiffer) {
  write_npy(path("B.npy"), {8, 6}, std::vector<std::int8_t>(48));
  bad({}, {"B.npy: has 8 rows, but A.npy has 7 columns", "B is K x N"});
}

TEST_F(CliGemmErrors, Array) {
  for (const std::string array :
       {"4", "4x", "x4", "0x4", "4x257", "4x4x4", "-1x4", "4 x 4", "axb", "99999999999x1"}) {
    bad({"--array=" + array}, {"--array: '" + array + "' is not ROWSxCOLS", "1 to 256", "8x8"});
  }
}

TEST_F(CliGemmErrors, DataflowAndScheme) {
  bad({"--dataflow", "rs"}, {"--dataflow", "ws", "os"});
  bad({"--scheme", "gradient"}, {"--scheme", "gradient", "tmr-pe", "checksum"});
}

TEST_F(CliGemmErrors, FaultSyntax) {
  for (const std::string fault :
       {"array.pe[0][0].acc:5", "array.pe[0][0].acc:5@", "@5", "", "5@x", "array.pe[0][0].acc:5@-1",
        "array.pe[0][0].acc@5", "array.pe[0][0.acc:5@5", "array.pe[a][0].acc:5@5",
        "array.pe[0][0].acc:5@5x", "array.pe[0][0].acc:5@1e2"}) {
    bad_fault(fault, {"--fault: '", "write "});
  }
}

TEST_F(CliGemmErrors, UnknownRegisterNamesTheNearest) {
  bad_fault("array.pe[0][0].accu:5@5", {"--fault: 'array.pe[0][0].accu:5' is not a fault site",
                                        "register is array.pe[0][0].acc;", "sagitta sites"});
  bad_fault("array.pe[0].acc:5@5", {"--fault: ", "register is array.pe[0][0].acc;"});
}

TEST_F(CliGemmErrors, IndexOutOfRange) {
  bad_fault("array.pe[4][0].acc:5@5", {"'array.pe[4][0].acc:5': index 4 is outside 0..3"});
  bad_fault("array.pe[0][99].a:5@5", {"index 99 is outside 0..3"});
}

TEST_F(CliGemmErrors, BitOutOfRange) {
  bad_fault("array.pe[0][0].a:8@5", {"'array.pe[0][0].a:8': ", "bits 0..7"});
  bad_fault("array.pe[0][0].acc:32@5", {"bits 0..31"});
}

TEST_F(CliGemmErrors, CycleAfterTheEnd) {
  const auto cycles = document(gemm({"--array", "4x4"})).at("cycles").get<int>();
  bad_fault("array.pe[0][0].acc:5@" + std::to_string(cycles),
            {"strikes after the run", "cycles 0.." + std::to_string(cycles - 1)});
  bad_fault("array.pe[0][0].acc:5@99999999999999999999", {"not SITE@CYCLE"});
  done(gemm({"--array", "4x4", "--fault", "array.pe[0][0].acc:5@" + std::to_string(cycles - 1)}));
}

TEST_F(CliGemmErrors, OutputThatCannotBe) {
  write("file", "kept");
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  for (const std::string output : {"file/C.npy", "nowhere/C.npy", ".", "pipe"}) {
    refuses(gemm({"-o", output}), {output + ": ", "written"});
  }
  EXPECT_TRUE(std::filesystem::is_fifo(path("pipe")));
}

TEST_F(CliGemmErrors, OutputThatIsAnInput) {
  for (const std::string name : {"A.npy", "B.npy", "./A.npy"}) {
    refuses(gemm({"-o", name}), {name + ": is a matrix that the product is made of"});
  }
}

TEST_F(CliGemmErrors, MachineThatHangs) {
  const auto before = everything();
  const Arguments hang{"--array", "4x4",  "--fault", "memory.dma.queue[0].valid:0@20",
                       "-o",      "C.npy"};
  for (const Arguments& more : {Arguments{"--json"}, Arguments{}}) {
    const Result result = run(gemm(hang + more));
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(result.err.rfind("sagitta: the machine hung: no result within ", 0), 0U)
        << result.err;
    if (more.empty()) {
      EXPECT_EQ(result.out, "");
    } else {  // a hang is a result: the document says so
      EXPECT_TRUE(nlohmann::json::parse(result.out).at("hang").get<bool>());
    }
  }
  EXPECT_EQ(everything(), before);
  // What --explain says holds all the same.
  const Result result = run(gemm(hang + Arguments{"--explain"}));
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.out.find("memory.dma.queue[0].valid:0@20: "), std::string::npos) << result.out;
}

}  // namespace
}  // namespace sagitta::test
