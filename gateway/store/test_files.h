// A file store and its spool on any disk, for the tests of this room.
#ifndef SCHLEUSE_GATEWAY_STORE_TEST_FILES_H_
#define SCHLEUSE_GATEWAY_STORE_TEST_FILES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "disk/disk.h"
#include "gateway/store/file_store.h"
#include "gateway/store/store_contract.h"
#include "gtest/gtest.h"

namespace schleuse {

inline RecordingName Recording(absl::string_view id = "r.mp4") {
  return *RecordingName::Parse("cam-1", id);
}

// A file store below `base` on any disk.
struct Files {
  Files(Disk& on, absl::string_view base, const FileStoreOptions& with)
      : disk(on),
        spool(JoinPath(base, "spool")),
        root(JoinPath(base, "store")),
        options(with) {
    EXPECT_OK(MakeDirectories(disk, spool));
    EXPECT_OK(MakeDirectories(disk, root));
    Restart();
  }
  void Restart() { store = std::make_unique<FileStore>(disk, root, options); }
  StoreSource Spool(const RecordingName& name, absl::string_view bytes) {
    const TransferId id = TransferId::Make(random);
    const std::string path =
        JoinPath(spool, absl::StrCat(id.ToString(), ".bytes"));
    EXPECT_OK(WriteFileAtomically(disk, path, bytes));
    return {.name = name, .transfer_id = id, .path = path, .extension = "mp4"};
  }
  absl::Status Commit(const StoreSource& source, absl::string_view bytes) {
    return CommitWhole(**store->Open(source), bytes.size(), Sha256::Of(bytes))
        .status();
  }
  // The contents of what lies in a recording's directory.
  std::vector<std::string> Stored(const RecordingName& name) const {
    std::vector<std::string> all;
    const std::string directory = JoinPath(root, name.ToString());
    const auto names = disk.List(directory);
    if (!names.ok()) return all;
    for (const std::string& file : *names) {
      const auto bytes = ReadFile(disk, JoinPath(directory, file), 64 << 20);
      all.push_back(bytes.ok() ? *bytes : bytes.status().ToString());
    }
    return all;
  }

  Disk& disk;
  const std::string spool;
  const std::string root;
  const FileStoreOptions options;
  SeededRandom random{7};
  std::unique_ptr<FileStore> store;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_TEST_FILES_H_
