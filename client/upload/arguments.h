// The words of schleuse-upload's command line. It touches no file.
#ifndef SCHLEUSE_CLIENT_UPLOAD_ARGUMENTS_H_
#define SCHLEUSE_CLIENT_UPLOAD_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/uploader/messages.h"
#include "client/uploader/upload.h"

namespace schleuse::client {

struct Arguments {
  struct Recording {
    std::string file;  // as given
    RecordingName name;
  };

  bool help = false;  // then nothing else counts
  std::vector<Recording> recordings;
  std::string gateway;  // host:port
  std::string certificate_file;
  std::string key_file;
  std::string root_file;
  std::string server_name;
  std::vector<std::string> custody_key_files;
  std::string receipt_directory;  // empty: receipts are not kept
  int parallel = 4;
  int connections = 4;
  Metadata metadata;  // of all recordings; the file name is not in it
  Priority priority = Priority::kNormal;
  UploadOptions upload;
  bool json = false;
};

// `words` without the program's name.
//   InvalidArgument  with a text for the person who typed it
absl::StatusOr<Arguments> ParseArguments(const std::vector<std::string>& words);

extern const char kHelp[];

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_ARGUMENTS_H_
