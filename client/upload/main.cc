#include "client/upload/upload_main.h"

int main(int argc, char** argv) {
  return schleuse::client::UploadMain(argc, argv);
}
