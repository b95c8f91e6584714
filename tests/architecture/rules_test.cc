// Each rule finds what it forbids, in houses made up for it.
#include "tests/architecture/rules.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::architecture {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A source at `path` whose second line includes `header`.
std::vector<Source> Including(const char* path, const char* header) {
  const std::string quoted =
      header[0] == '<' ? header : absl::StrCat("\"", header, "\"");
  return {{path, absl::StrCat("// A file.\n#include ", quoted, "\n")}};
}

TEST(IncludesOfTest, FindsBothKindsWithTheirLines) {
  const auto includes = IncludesOf(
      "#include \"a/b.h\"\n"
      "// #include \"not/this.h\"\n"
      "  #  include <c/d.h>  // why\n");
  ASSERT_THAT(includes, SizeIs(2));
  EXPECT_EQ(includes[0].header, "a/b.h");
  EXPECT_EQ(includes[1].header, "<c/d.h>");
  EXPECT_EQ(includes[1].line, 3);
}

TEST(RoomOfTest, GatewayAndClientHaveRoomsOfTheirOwn) {
  EXPECT_EQ(RoomOf("base/log.h"), "base");
  EXPECT_EQ(RoomOf("gateway/main.cc"), "gateway");
  EXPECT_EQ(RoomOf("gateway/rpc/server.cc"), "gateway/rpc");
  EXPECT_EQ(RoomOf("client/upload/deep/x.h"), "client/upload");
  EXPECT_EQ(RoomOf("tests/e2e/x.cc"), "tests");
}

TEST(HomelessTest, FindsARoomThatNobodyPlaced) {
  EXPECT_THAT(Homeless(Including("gateway/helpers/x.cc", "base/log.h")),
              ElementsAre(HasSubstr("gateway/helpers")));
  EXPECT_THAT(Homeless(Including("util/x.cc", "base/log.h")),
              ElementsAre(HasSubstr("util")));
  EXPECT_THAT(Homeless(Including("gateway/rpc/x.cc", "base/log.h")), IsEmpty());
}

TEST(WrongFloorsTest, EveryStepUpIsFound) {
  const std::pair<const char*, const char*> forbidden[] = {
      {"base/x.cc", "crypto/digest.h"},
      {"crypto/x.cc", "evidence/proof.h"},
      {"evidence/x.cc", "gateway/egress/connect.h"},
      {"gateway/egress/x.cc", "gateway/store/store.h"},
      {"gateway/store/x.cc", "gateway/transfer/intake.h"},
      {"gateway/transfer/x.cc", "gateway/operations/drain.h"},
      {"gateway/operations/x.cc", "gateway/rpc/server.h"},
      {"gateway/rpc/x.cc", "gateway/config.h"},
      {"settings/x.cc", "gateway/access/roster.h"},
      {"client/uploader/x.cc", "client/link/grpc_link.h"},
      {"client/link/x.cc", "client/upload/runner.h"},
      {"base/x.cc", "tests/e2e/world.h"},
      {"disk/x.cc", "certs/test_pki.h"},
  };
  for (const auto& [path, header] : forbidden) {
    EXPECT_THAT(WrongFloors(Including(path, header)),
                ElementsAre(HasSubstr(absl::StrCat(path, ":2: "))))
        << header;
  }
}

TEST(WrongFloorsTest, RoomsOfOneFloorDoNotKnowEachOther) {
  EXPECT_THAT(WrongFloors(Including("crypto/x.cc", "disk/disk.h")), SizeIs(1));
  EXPECT_THAT(WrongFloors(Including("gateway/rpc/x.cc", "gateway/web/page.h")),
              SizeIs(1));
  EXPECT_THAT(
      WrongFloors(Including("gateway/spool/x.cc", "gateway/store/store.h")),
      SizeIs(1));
  EXPECT_THAT(
      WrongFloors(Including("client/dock/x.cc", "client/upload/runner.h")),
      SizeIs(1));
}

TEST(WrongFloorsTest, GatewayAndClientDoNotKnowEachOther) {
  EXPECT_THAT(WrongFloors(Including("client/link/x.cc", "gateway/rpc/wire.h")),
              SizeIs(1));
  EXPECT_THAT(WrongFloors(Including("gateway/x.cc", "client/link/convert.h")),
              SizeIs(1));
}

TEST(WrongFloorsTest, StepsDownAndIntoTheOwnRoomAreFine) {
  EXPECT_THAT(WrongFloors(Including("gateway/main.cc", "gateway/rpc/server.h")),
              IsEmpty());
  EXPECT_THAT(WrongFloors(Including("gateway/rpc/x.cc", "base/log.h")),
              IsEmpty());
  EXPECT_THAT(WrongFloors(Including("disk/x.cc", "disk/disk.h")), IsEmpty());
  EXPECT_THAT(WrongFloors(Including("disk/x.cc", "<vector>")), IsEmpty());
  EXPECT_THAT(WrongFloors(Including("tests/e2e/x.cc", "gateway/config.h")),
              IsEmpty());
}

TEST(WrongFloorsTest, ATestUsesTheTestPkiButStaysOnItsFloor) {
  EXPECT_THAT(WrongFloors(Including("crypto/x_test.cc", "certs/test_pki.h")),
              IsEmpty());
  EXPECT_THAT(WrongFloors(Including("crypto/x_test.cc", "disk/fake_disk.h")),
              SizeIs(1));
}

TEST(CyclesTest, FindsACycleOverThreeCorners) {
  std::vector<Source> sources = {
      {"base/a.cc", "#include \"crypto/b.h\"\n"},
      {"crypto/b.cc", "#include \"disk/c.h\"\n"},
  };
  EXPECT_THAT(Cycles(sources), IsEmpty());
  sources.push_back({"disk/c.cc", "#include \"base/a.h\"\n"});
  EXPECT_THAT(Cycles(sources),
              ElementsAre("a cycle of rooms: base > crypto > disk > base"));
}

TEST(WrongDoorsTest, EachDoorIsClosedToOthers) {
  const std::pair<const char*, const char*> forbidden[] = {
      {"gateway/rpc/x.cc", "<openssl/x509.h>"},
      {"gateway/transfer/x.cc", "<grpcpp/server.h>"},
      {"client/upload/x.cc", "<grpcpp/channel.h>"},
      {"gateway/store/x.cc", "<google/protobuf/message.h>"},
      {"gateway/transfer/x.cc", "proto/transfer.pb.h"},
      {"client/uploader/x.h", "proto/transfer.grpc.pb.h"},
      {"gateway/x.cc", "proto/rich_status.pb.h"},
      {"gateway/transfer/x.cc", "proto/spool.pb.h"},
      {"gateway/transfer/x.cc", "proto/config.pb.h"},
      {"gateway/store/x.cc", "<sqlite3.h>"},
      {"gateway/store/x.cc", "<curl/curl.h>"},
      {"gateway/rpc/x.cc", "<httplib.h>"},
      {"gateway/store/x.cc", "<netdb.h>"},
      {"gateway/store/x.cc", "<fstream>"},
      {"gateway/spool/x.cc", "<filesystem>"},
      {"gateway/spool/x.cc", "<fcntl.h>"},
      {"crypto/x.cc", "<sys/stat.h>"},
      {"crypto/x.cc", "<dirent.h>"},
      {"base/x.cc", "<unistd.h>"},
      {"gateway/transfer/x.cc", "<unistd.h>"},
      {"crypto/x.cc", "<sys/random.h>"},
  };
  for (const auto& [path, header] : forbidden) {
    EXPECT_THAT(WrongDoors(Including(path, header)),
                ElementsAre(HasSubstr(absl::StrCat(path, ":2: ", header))))
        << path;
  }
}

TEST(WrongDoorsTest, ADoorIsOpenToItsRoomItsFilesAndToTests) {
  EXPECT_THAT(WrongDoors(Including("crypto/x.cc", "<openssl/x509.h>")),
              IsEmpty());
  EXPECT_THAT(WrongDoors(Including("disk/x.cc", "<fcntl.h>")), IsEmpty());
  EXPECT_THAT(WrongDoors(Including("base/log.cc", "<unistd.h>")), IsEmpty());
  EXPECT_THAT(WrongDoors(Including("gateway/x_test.cc", "<fstream>")),
              IsEmpty());
  EXPECT_THAT(WrongDoors(Including("tests/e2e/x.cc", "<openssl/x509.h>")),
              IsEmpty());
}

TEST(ImpureCoreTest, FindsThreadsClocksAndFiles) {
  for (const char* header :
       {"<thread>", "<mutex>", "<chrono>", "absl/time/clock.h",
        "base/thread_pool.h", "disk/posix_disk.h"}) {
    EXPECT_THAT(ImpureCore(Including("gateway/transfer/x.cc", header)),
                SizeIs(1))
        << header;
    EXPECT_THAT(ImpureCore(Including("client/uploader/x.h", header)), SizeIs(1))
        << header;
    EXPECT_THAT(ImpureCore(Including("client/link/x.h", header)), IsEmpty())
        << header;
  }
  // What they get from outside is fine.
  EXPECT_THAT(ImpureCore(Including("client/uploader/x.h", "base/clock.h")),
              IsEmpty());
}

TEST(FileSystemCallsTest, FindsCallsThatNeedNoTellingHeader) {
  for (const char* call :
       {"FILE* f = fopen(path, \"r\");", "const int fd = ::open(path, 0);",
        "if (::renameat2(a, b, c, d, 0) != 0)", "std::ofstream out(path);",
        "std::filesystem::remove(path);", "std::rename(a, b);",
        "std::remove(path);", "return ::fsync(fd);"}) {
    EXPECT_THAT(FileSystemCalls({{"gateway/store/x.cc", call}}), SizeIs(1))
        << call;
    EXPECT_THAT(FileSystemCalls({{"disk/x.cc", call}}), IsEmpty()) << call;
    EXPECT_THAT(FileSystemCalls({{"gateway/store/x_test.cc", call}}), IsEmpty())
        << call;
  }
}

TEST(FileSystemCallsTest, OtherWordsAreNoCalls) {
  for (const char* text :
       {"// fopen(path) would not do", "disk_.Rename(a, b);",
        "PosixDisk::open(path);", "std::filesystem::absolute(typed, error)",
        "v.erase(std::remove(a, b, c), b);", "std::remove_if(a, b, c);",
        "stat.ok()", "Spool::Open(disk);"}) {
    EXPECT_THAT(FileSystemCalls({{"gateway/store/x.cc", text}}), IsEmpty())
        << text;
  }
}

TEST(SharedPeersTest, APeerUsesNothingOfTheProduct) {
  for (const char* header : {"base/crc32c.h", "crypto/digest.h", "disk/disk.h",
                             "gateway/config.h", "proto/transfer.pb.h"}) {
    EXPECT_THAT(SharedPeers(Including("tests/bench/x.cc", header)), SizeIs(1))
        << header;
    EXPECT_THAT(SharedPeers(Including("tests/bench/micro/x.cc", header)),
                IsEmpty())
        << header;
    EXPECT_THAT(SharedPeers(Including("tests/e2e/x.cc", header)), IsEmpty())
        << header;
  }
  EXPECT_THAT(SharedPeers(Including("tests/bench/x.cc", "tests/bench/y.h")),
              IsEmpty());
  EXPECT_THAT(SharedPeers(Including("tests/bench/x.cc", "<openssl/ssl.h>")),
              IsEmpty());
}

}  // namespace
}  // namespace schleuse::architecture
