// The program schleuse-upload, as a function, so that tests can link it.
#ifndef SCHLEUSE_CLIENT_UPLOAD_UPLOAD_MAIN_H_
#define SCHLEUSE_CLIENT_UPLOAD_UPLOAD_MAIN_H_

namespace schleuse::client {

// Returns the exit code; --help says what each means.
int UploadMain(int argc, char** argv);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_UPLOAD_MAIN_H_
