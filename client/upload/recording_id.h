// From a file's name to a recording's id. It knows no files.
#ifndef SCHLEUSE_CLIENT_UPLOAD_RECORDING_ID_H_
#define SCHLEUSE_CLIENT_UPLOAD_RECORDING_ID_H_

#include <string>

#include "absl/strings/string_view.h"

namespace schleuse::client {

// "/media/cam/2024-05-01 12.30 Hof.MP4" -> "2024-05-01_12.30_Hof.MP4".
//
// The part behind the last slash, in which every byte that an id may not hold
// there becomes '_' (a letter of two bytes: two of them). If it is longer than
// the 128 characters of an id its stem is cut and its extension kept. The same
// name always gives the same id, so that an upload finds its place again.
// Empty if there is no name at all.
std::string RecordingIdOf(absl::string_view path);

// What lies behind the last slash.
absl::string_view BaseName(absl::string_view path);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_RECORDING_ID_H_
