#include "gateway/config.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Matcher;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kPath[] = "/etc/gateway.textproto";

constexpr char kLeast[] = R"(listen: "10.0.0.5:8443"
spool_directory: "/srv/spool"
store { file { root: "/srv/store" } }
tls {
  certificate_chain_file: "chain.pem"
  private_key_file: "gateway.key"
  root_certificates_file: "/etc/pki/root.pem"
}
roster_file: "roster.textproto"
)";

// `text` as the configuration on a disk that has the files which kLeast names.
absl::StatusOr<Config> Load(absl::string_view text) {
  FakeDisk disk;
  EXPECT_OK(MakeDirectories(disk, "/etc/pki"));
  for (const char* file :
       {"chain.pem", "gateway.key", "pki/root.pem", "roster.textproto",
        "crl-1.pem", "crl-2.pem", "rules.textproto", "holds.textproto"}) {
    EXPECT_OK(disk.Create(JoinPath("/etc", file)));
  }
  EXPECT_OK(WriteFileAtomically(disk, kPath, text));
  return Config::Load(disk, kPath);
}

std::vector<std::string> MistakesIn(absl::string_view text) {
  const absl::Status status = Load(text).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
  return absl::StrSplit(status.message(), '\n');
}

Matcher<std::string> At(int line, const std::string& words) {
  return AllOf(StartsWith(absl::StrCat(kPath, ":", line, ": ")),
               HasSubstr(words));
}

TEST(ConfigTest, FillsInWhatIsNotSaid) {
  ASSERT_OK_AND_ASSIGN(const Config config, Load(kLeast));
  EXPECT_EQ(config.listen.ToString(), "10.0.0.5:8443");
  EXPECT_EQ(config.spool_directory, "/srv/spool");
  EXPECT_EQ(config.store.files->root, "/srv/store");
  EXPECT_FALSE(config.store.files->read_back);
  EXPECT_THAT(config.revocation_list_files, IsEmpty());
  EXPECT_EQ(config.credit_bytes_total, uint64_t{192} << 20);
  EXPECT_EQ(config.streams_max, 2048);
  EXPECT_EQ(config.streams_per_device_max, 64);
  EXPECT_EQ(config.spool_reserve_bytes, uint64_t{1} << 30);
  EXPECT_EQ(config.worker_threads, 0);
  EXPECT_EQ(config.drain, absl::Seconds(30));
}

TEST(ConfigTest, RelativePathsBeginBesideTheConfiguration) {
  ASSERT_OK_AND_ASSIGN(
      const Config config,
      Load(absl::StrReplaceAll(
          kLeast, {{"/srv/spool", "spool"}, {"/srv/store", "../data/store"}})));
  EXPECT_EQ(config.spool_directory, "/etc/spool");
  EXPECT_EQ(config.store.files->root, "/etc/../data/store");
  EXPECT_EQ(config.certificate_chain_file, "/etc/chain.pem");
  EXPECT_EQ(config.private_key_file, "/etc/gateway.key");
  EXPECT_EQ(config.root_certificates_file, "/etc/pki/root.pem");
  EXPECT_EQ(config.roster_file, "/etc/roster.textproto");
}

TEST(ConfigTest, ReadsWhatIsSaid) {
  ASSERT_OK_AND_ASSIGN(const Config config, Load(R"(listen: "[::1]:0"
spool_directory: "/srv/spool"
store { file { root: "/srv/store" read_back: true } }
tls {
  certificate_chain_file: "chain.pem"
  private_key_file: "gateway.key"
  root_certificates_file: "pki/root.pem"
  revocation_list_files: "crl-1.pem"
  revocation_list_files: "crl-2.pem"
}
roster_file: "roster.textproto"
limits {
  credit_bytes_total: 67108864
  streams: 64
  streams_per_device: 4096
  spool_reserve_bytes: 5
  worker_threads: 3
}
drain_seconds: 600
)"));
  EXPECT_EQ(config.listen.ToString(), "[::1]:0");
  EXPECT_TRUE(config.store.files->read_back);
  EXPECT_THAT(config.revocation_list_files,
              ElementsAre("/etc/crl-1.pem", "/etc/crl-2.pem"));
  EXPECT_EQ(config.credit_bytes_total, uint64_t{64} << 20);
  EXPECT_EQ(config.streams_max, 64);
  EXPECT_EQ(config.streams_per_device_max, 4096);
  EXPECT_EQ(config.spool_reserve_bytes, 5);
  EXPECT_EQ(config.worker_threads, 3);
  EXPECT_EQ(config.drain, absl::Minutes(10));
}

// kLeast, its store in a bucket; `more` stands there beside what must.
std::string InABucket(absl::string_view more = "",
                      absl::string_view endpoint = "https://10.20.0.5:443") {
  return absl::StrReplaceAll(
      kLeast,
      {{"file { root: \"/srv/store\" }",
        absl::StrCat("s3 { endpoint: \"", endpoint,
                     "\" bucket: \"footage\" credentials_file: \"crl-1.pem\" ",
                     more, " }")},
       {"roster_file:",
        "egress { allow: \"10.20.0.0/24:443\" } roster_file:"}});
}

TEST(ConfigTest, ReadsAStoreOfObjects) {
  ASSERT_OK_AND_ASSIGN(const Config config, Load(InABucket()));
  EXPECT_FALSE(config.store.files);
  ASSERT_TRUE(config.store.objects);
  const StorePlace::Objects& objects = *config.store.objects;
  EXPECT_EQ(objects.at.endpoint.Origin(), "https://10.20.0.5:443");
  EXPECT_EQ(objects.at.bucket, "footage");
  EXPECT_EQ(objects.at.region, "us-east-1");
  EXPECT_EQ(objects.credentials_file, "/etc/crl-1.pem");
  EXPECT_EQ(objects.options.part_bytes, uint64_t{8} << 20);
  EXPECT_EQ(objects.options.connections, 8);
  EXPECT_FALSE(objects.options.lock);
  ASSERT_OK_AND_ASSIGN(
      const Config locked,
      Load(InABucket("part_bytes: 16777216 connections: 4 region: \"bw\" "
                     "object_lock { mode: \"COMPLIANCE\" days: 30 }")));
  EXPECT_EQ(locked.store.objects->options.part_bytes, uint64_t{16} << 20);
  EXPECT_EQ(locked.store.objects->options.connections, 4);
  EXPECT_EQ(locked.store.objects->options.lock->mode, "COMPLIANCE");
  EXPECT_EQ(locked.store.objects->options.lock->span, absl::Hours(24 * 30));
}

TEST(ConfigTest, StoreOfObjectsThatCannotBe) {
  const auto mistake = [](const std::string& text) {
    return MistakesIn(text).front();
  };
  EXPECT_THAT(mistake(InABucket("", "http://10.20.0.5")),
              HasSubstr("store.s3.endpoint"));
  EXPECT_THAT(mistake(InABucket("", "https://10.21.0.5")),
              HasSubstr("store.s3.endpoint: is not on egress.allow"));
  EXPECT_THAT(mistake(InABucket("region: \"a b\"")),
              HasSubstr("store.s3.region"));
  EXPECT_THAT(mistake(InABucket("part_bytes: 5000000")),
              HasSubstr("store.s3.part_bytes"));
  EXPECT_THAT(mistake(InABucket("connections: 65")),
              HasSubstr("store.s3.connections"));
  EXPECT_THAT(mistake(InABucket("object_lock { mode: \"FOREVER\" days: 1 }")),
              HasSubstr("store.s3.object_lock.mode"));
  EXPECT_THAT(mistake(InABucket("object_lock { mode: \"COMPLIANCE\" }")),
              HasSubstr("store.s3.object_lock.days"));
  EXPECT_THAT(
      mistake(absl::StrReplaceAll(InABucket(), {{"footage", "Foot_age"}})),
      HasSubstr("store.s3.bucket"));
  EXPECT_THAT(
      mistake(absl::StrReplaceAll(InABucket(), {{"crl-1.pem", "none.key"}})),
      HasSubstr("store.s3.credentials_file"));
  EXPECT_THAT(
      mistake(absl::StrReplaceAll(
          InABucket(), {{"store { ", "store { file { root: \"/s\" } "}})),
      HasSubstr("store: is either file or s3"));
}

TEST(ConfigTest, ListsEverythingThatIsMissing) {
  EXPECT_THAT(MistakesIn(""),
              ElementsAre(At(1, "listen: is missing"),
                          At(1, "spool_directory: is missing"),
                          At(1, "store.file.root: is missing"),
                          At(1, "tls.certificate_chain_file: is missing"),
                          At(1, "tls.private_key_file: is missing"),
                          At(1, "tls.root_certificates_file: is missing"),
                          At(1, "roster_file: is missing")));
}

TEST(ConfigTest, ListsEveryMistakeWithItsLine) {
  EXPECT_THAT(
      MistakesIn(R"(listen: "gateway.police.example:8443"
spool_directory: ""
store {
  file { }
}
tls {
  certificate_chain_file: "no-such.pem"
  private_key_file: "pki"
  revocation_list_files: "crl-1.pem"
  revocation_list_files: "crl-3.pem"
}
roster_file: "/roster"
limits {
  credit_bytes_total: 67108863
  streams: 0
  worker_threads: 1025
  stream: 5
  streams_per_device: 0
}
drain_seconds: 0
log_level: 3
drain_seconds: "soon"
)"),
      ElementsAre(At(1, "listen: must be an IP address and a port"),
                  At(7, "tls.certificate_chain_file: open /etc/no-such.pem"),
                  At(8, "tls.private_key_file: open /etc/pki"),
                  At(10, "tls.revocation_list_files[1]: open /etc/crl-3.pem"),
                  At(12, "roster_file: open /roster"),
                  At(14, "credit_bytes_total: must be 67108864 to 68719476736"),
                  At(15, "limits.streams: must be 1 to 4096"),
                  At(16, "limits.worker_threads: must be 0 to 1024"),
                  At(17, "stream"),
                  At(18, "limits.streams_per_device: must be 1 to 4096"),
                  At(20, "drain_seconds: must be 1 to 600"),
                  At(21, "log_level"), At(22, "")));
}

TEST(ConfigTest, RefusesWhatLiesBeyondTheUpperBounds) {
  EXPECT_THAT(
      MistakesIn(absl::StrCat(kLeast,
                              "limits { streams: 4097\n"
                              "credit_bytes_total: 68719476737\n"
                              "streams_per_device: 4097 }\n"
                              "drain_seconds: 601")),
      ElementsAre(At(10, "limits.streams"), At(11, "limits.credit_bytes_total"),
                  At(12, "limits.streams_per_device"),
                  At(13, "drain_seconds")));
}

TEST(ConfigTest, TakesOnlyIpLiteralsToListenOn) {
  const auto with = [](absl::string_view listen) {
    return Load(absl::StrReplaceAll(kLeast, {{"10.0.0.5:8443", listen}}));
  };
  for (const char* good : {"0.0.0.0:0", "127.0.0.1:65535", "[::1]:0", "[::]:1",
                           "[2001:db8::5]:8443"}) {
    EXPECT_OK(with(good)) << good;
  }
  for (const char* bad :
       {"10.0.0.5",    "10.0.0.5:",        ":8443",           "8443",
        "10.0.0:1",    "10.0.0.5:65536",   "10.0.0.5:-1",     "10.0.0.5:+1",
        "10.0.0.5: 1", "10.0.0.5:1 ",      "::1:0",           "[::1]",
        "[::1]0",      "[10.0.0.5]:1",     "::1]:0",          "[::1:0",
        "localhost:1", "unix:/tmp/socket", "10.0.0.5:00001a", "10.0.0.256:1",
        "[::g]:1"}) {
    EXPECT_THAT(with(bad), StatusIs(absl::StatusCode::kInvalidArgument,
                                    HasSubstr("listen: must be")))
        << bad;
  }
}

TEST(ConfigTest, KeepsSpoolAndStoreApart) {
  for (const char* root :
       {"/srv/spool", "/srv/spool/", "/srv/./spool", "/srv/spool/store",
        "/srv/x/../spool/store", "/srv", "/"}) {
    EXPECT_THAT(
        MistakesIn(absl::StrReplaceAll(kLeast, {{"/srv/store", root}})),
        ElementsAre(At(3, "store.file.root: store and spool must not lie")))
        << root;
  }
  EXPECT_OK(Load(absl::StrReplaceAll(kLeast, {{"/srv/store", "/srv/spool2"}})));
}

std::string WithCustody(absl::string_view settings) {
  return absl::StrCat(kLeast, "custody { ", settings, " }\n");
}

TEST(ConfigTest, KeepsACustodyLogOnlyIfItIsAskedTo) {
  EXPECT_FALSE(Load(kLeast)->custody);
  ASSERT_OK_AND_ASSIGN(
      const Config config,
      Load(WithCustody("gateway_name: 'police.example/gw-1' directory: "
                       "'custody' key_directory: '/srv/keys'")));
  ASSERT_TRUE(config.custody);
  EXPECT_EQ(config.custody->gateway_name, "police.example/gw-1");
  EXPECT_EQ(config.custody->directory, "/etc/custody");
  EXPECT_EQ(config.custody->key_directory, "/srv/keys");
  EXPECT_EQ(config.custody->reserve_bytes, uint64_t{16} << 20);
  EXPECT_EQ(config.custody->keep_years, 1);
}

TEST(ConfigTest, ListsEveryMistakeOfACustodyLog) {
  EXPECT_THAT(MistakesIn(WithCustody("")),
              ElementsAre(At(10, "custody.directory: is missing"),
                          At(10, "custody.key_directory: is missing"),
                          At(10, "custody.gateway_name: is missing")));
  const std::string places =
      "directory: '/srv/log' key_directory: '/srv/keys' ";
  for (const char* name : {"https://x y", "a+b", "/gw", "gw/", "gw\\n"}) {
    EXPECT_THAT(MistakesIn(WithCustody(
                    absl::StrCat(places, "gateway_name: '", name, "'"))),
                ElementsAre(At(10, "custody.gateway_name: is a URL without")))
        << name;
  }
  EXPECT_THAT(
      MistakesIn(WithCustody(absl::StrCat(places,
                                          "gateway_name: 'g' reserve_bytes: 5 "
                                          "keep_years: 101"))),
      ElementsAre(At(10, "custody.reserve_bytes: must be"),
                  At(10, "custody.keep_years: must be 0 to 100")));
}

TEST(ConfigTest, KeepsTheLogApartFromFootageAndTheKeysFromBoth) {
  const auto mistakes = [](const char* log, const char* keys) {
    return MistakesIn(
        WithCustody(absl::StrCat("gateway_name: 'g' directory: '", log,
                                 "' key_directory: '", keys, "'")));
  };
  EXPECT_THAT(
      mistakes("/srv/spool/log", "/keys"),
      ElementsAre(At(10, "custody.directory: must not lie in the spool")));
  EXPECT_THAT(
      mistakes("/srv/store/../store", "/keys"),
      ElementsAre(At(10, "custody.directory: must not lie in the store")));
  EXPECT_THAT(mistakes("/log", "/srv/store/keys"),
              ElementsAre(At(10,
                             "custody.key_directory: must not lie in the "
                             "store")));
  EXPECT_THAT(mistakes("/log", "/log/keys"),
              ElementsAre(At(10,
                             "custody.key_directory: must not lie in the "
                             "log")));
}

constexpr char kLog[] =
    "custody { gateway_name: 'g' directory: '/srv/log'"
    " key_directory: '/srv/keys' }\n";

TEST(ConfigTest, DeletesNothingForItsAgeUnlessItIsAskedTo) {
  ASSERT_OK_AND_ASSIGN(Config config, Load(kLeast));
  EXPECT_EQ(config.retention.rules_file, "");
  EXPECT_EQ(config.retention.idle, absl::Hours(24) * 7);
  ASSERT_OK_AND_ASSIGN(
      config,
      Load(absl::StrCat(kLeast, kLog,
                        "retention { rules_file: 'rules.textproto'"
                        " holds_file: 'holds.textproto'"
                        " every_minutes: 5 } limits { idle_days: 3 }")));
  EXPECT_EQ(config.retention.rules_file, "/etc/rules.textproto");
  EXPECT_EQ(config.retention.holds_file, "/etc/holds.textproto");
  EXPECT_EQ(config.retention.every, absl::Minutes(5));
  EXPECT_EQ(config.retention.idle, absl::Hours(24) * 3);
}

TEST(ConfigTest, ListsEveryMistakeOfTheRetention) {
  EXPECT_THAT(MistakesIn(absl::StrCat(kLeast,
                                      "retention { every_minutes: 0\n"
                                      "holds_file: 'none.textproto' }\n"
                                      "limits { idle_days: 1 }")),
              testing::UnorderedElementsAre(At(10, "retention: needs custody"),
                                            At(10, "retention.rules_file"),
                                            At(10, "retention.every_minutes"),
                                            At(11, "retention.holds_file"),
                                            At(12, "limits.idle_days")));
}

TEST(ConfigTest, ScrubsFilesWithALogAndObjectsIfItIsAskedTo) {
  ASSERT_OK_AND_ASSIGN(Config config, Load(kLeast));
  EXPECT_FALSE(config.scrub) << "there are no receipts";
  ASSERT_OK_AND_ASSIGN(config, Load(absl::StrCat(kLeast, kLog)));
  ASSERT_TRUE(config.scrub);
  EXPECT_EQ(config.scrub->bytes_per_second, 8u << 20);
  EXPECT_EQ(config.scrub->every, absl::Hours(24) * 30);
  ASSERT_OK_AND_ASSIGN(
      config,
      Load(absl::StrCat(kLeast, kLog, "scrub { bytes_per_second: 0 }")));
  EXPECT_FALSE(config.scrub);
  EXPECT_THAT(MistakesIn(absl::StrCat(kLeast, "scrub { every_days: 0 }")),
              ElementsAre(At(10, "scrub.every_days")));
}

TEST(ConfigTest, AMissingFileIsNoConfiguration) {
  EXPECT_THAT(Config::Load(FakeDisk(), kPath),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(kPath)));
}

// Of the key in the specification of signed notes.
constexpr char kWitness[] =
    "dpo.example/w1+da35469d+BBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

TEST(ConfigTest, ConnectsNowhereUnlessItIsAllowed) {
  ASSERT_OK_AND_ASSIGN(const Config nowhere, Load(kLeast));
  EXPECT_THAT(nowhere.egress.allow.networks(), IsEmpty());
  EXPECT_FALSE(nowhere.egress.dns);
  ASSERT_OK_AND_ASSIGN(
      const Config somewhere,
      Load(absl::StrCat(kLeast,
                        "egress { allow: '10.0.0.0/8:443' allow: "
                        "'[fd00::/8]:8444' dns: true }")));
  ASSERT_THAT(somewhere.egress.allow.networks(), SizeIs(2));
  EXPECT_EQ(somewhere.egress.hosts_file, "/etc/hosts");
  EXPECT_TRUE(somewhere.egress.dns);
}

TEST(ConfigTest, WhatTheInternetCanReachIsAllowedOnlyIfItIsSaidToBeOurs) {
  const std::string egress = "egress { allow: '192.0.2.0/24:443' ";
  EXPECT_THAT(MistakesIn(absl::StrCat(kLeast, egress, "}")),
              ElementsAre(At(10,
                             "egress.allow[0]: can be reached from the "
                             "internet")));
  EXPECT_OK(
      Load(absl::StrCat(kLeast, egress, "public_networks_are_ours: true }")));
}

TEST(ConfigTest, ListsEveryMistakeOfTheEgress) {
  EXPECT_THAT(MistakesIn(absl::StrCat(kLeast, "egress { }")),
              ElementsAre(At(10, "egress.allow: is missing")));
  EXPECT_THAT(
      MistakesIn(absl::StrCat(kLeast,
                              "egress { allow: 'store:443'\n"
                              "allow: '10.0.0.1/8:443'\n"
                              "hosts_file: 'hosts' }")),
      ElementsAre(At(10, "egress.allow[0]: must be a network"),
                  At(11, "egress.allow[1]: has bits beyond its prefix"),
                  At(12, "egress.hosts_file: must be an absolute path")));
}

std::string WithWitnesses(absl::string_view witnesses) {
  return absl::StrCat(
      WithCustody(absl::StrCat(
          "gateway_name: 'police.example/gw-1' directory: '/srv/log' "
          "key_directory: '/srv/keys'\n",
          witnesses)),
      "egress { allow: '10.0.0.0/8:8444' }\n");
}

TEST(ConfigTest, ReadsItsWitnesses) {
  ASSERT_OK_AND_ASSIGN(const Config none, Load(WithWitnesses("")));
  EXPECT_THAT(none.witnesses.places, IsEmpty());
  ASSERT_OK_AND_ASSIGN(
      const Config config,
      Load(WithWitnesses(absl::StrCat(
          "witness { verifier_key: '", kWitness,
          "' url: 'https://10.0.0.7:8444/w' } cosigned_directory: 'back' "
          "witness_every_seconds: 5 witness_alarm_seconds: 3600"))));
  ASSERT_THAT(config.witnesses.places, SizeIs(1));
  EXPECT_EQ(config.witnesses.places[0].key.name(), "dpo.example/w1");
  EXPECT_EQ(config.witnesses.places[0].url->prefix, "/w");
  EXPECT_EQ(config.witnesses.required, 1u);
  EXPECT_EQ(config.witnesses.every, absl::Seconds(5));
  EXPECT_EQ(config.witnesses.alarm_after, absl::Hours(1));
  EXPECT_EQ(config.witnesses.cosigned_directory, "/etc/back");
}

TEST(ConfigTest, ListsEveryMistakeOfAWitness) {
  const std::string key = absl::StrCat("verifier_key: '", kWitness, "' ");
  EXPECT_THAT(
      MistakesIn(WithWitnesses(absl::StrCat(
          "witness { url: 'http://10.0.0.7' }\n"
          "witness { verifier_key: 'w1' url: 'https://10.0.0.7:8445' }\n"
          "witness { ",
          key, "url: 'https://192.0.2.1:8444' }\nwitness { ", key,
          "url: 'https://w1.police.example' }\n"
          "witnesses_required: 5\nwitness_every_seconds: 0\n"
          "witness_alarm_seconds: 59"))),
      ElementsAre(At(11, "custody.witness[0].url: must be a URL"),
                  At(11, "custody.witness[0].verifier_key: is missing"),
                  At(12, "custody.witness[1].url: is not on egress.allow"),
                  At(12, "custody.witness[1].verifier_key: not a verifier key"),
                  At(13, "custody.witness[2].url: is not on egress.allow"),
                  At(14, "custody.witness[3].url: is not on egress.allow"),
                  At(14,
                     "custody.witness[3].verifier_key: names a witness "
                     "that was named before"),
                  At(15, "custody.witnesses_required: must be 1 to 4"),
                  At(16, "custody.witness_every_seconds: must be 1 to 86400"),
                  At(17, "custody.witness_alarm_seconds: must be 60 to")));
  EXPECT_THAT(MistakesIn(WithWitnesses(
                  "witness { verifier_key: "
                  "'PeterNeumann+c74f20a3+"
                  "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW' }")),
              ElementsAre(At(11, "is no key of a witness")));
}

}  // namespace
}  // namespace schleuse
