#include "crypto/tls_profile.h"

#include <openssl/conf.h>
#include <openssl/ssl.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "crypto/openssl.h"
#include "crypto/tls_commands.h"

namespace schleuse {
namespace {

using ConfigPointer = OpenSslPointer<CONF, NCONF_free>;
using ContextPointer = OpenSslPointer<SSL_CTX, SSL_CTX_free>;
using CommandsPointer = OpenSslPointer<SSL_CONF_CTX, SSL_CONF_CTX_free>;

struct Setting {
  const char* command;
  const char* value;
};

// The commands of SSL_CONF_cmd(3).
constexpr Setting kProfile[] = {
    // gRPC sets MinProtocol back to TLS 1.2; what is switched off stays off.
    {"Protocol", "-SSLv3, -TLSv1, -TLSv1.1, -TLSv1.2"},
    {"MinProtocol", "TLSv1.3"},
    // Level 3 refuses certificates whose RSA key is shorter than 3072 bits or
    // whose EC key is shorter than 256, and hashes weaker than SHA-256.
    {"CipherString", "DEFAULT:@SECLEVEL=3"},
    {"Ciphersuites", "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"},
    {"Groups", "P-256"},
    {"SignatureAlgorithms",
     "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:"
     "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
     "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512"},
    // Without the option 1.3 still sends tickets, without the number the
    // option only moves their content into the server.
    {"Options", "-SessionTicket"},
    {"NumTickets", "0"},
};

absl::Status Refused(const OpenSslErrors& errors, absl::string_view what) {
  return absl::InternalError(absl::StrCat("OpenSSL refuses the TLS profile (",
                                          what, "): ", errors.Reason()));
}

// SSL_CTX_new passes over system defaults that it cannot read, so each one is
// tried by itself.
absl::Status TryEach(const OpenSslErrors& errors) {
  const ContextPointer context(SSL_CTX_new(TLS_method()));
  if (context == nullptr) return Refused(errors, "no context");
  return ApplyTlsProfile(context.get());
}

absl::Status MakeDefault(const OpenSslErrors& errors) {
  std::string text =
      "openssl_conf = modules\n"
      "[modules]\nssl_conf = tls\n"
      "[tls]\nsystem_default = profile\n"
      "[profile]\n";
  for (const Setting& setting : kProfile) {
    absl::StrAppend(&text, setting.command, " = ", setting.value, "\n");
  }
  const BioPointer bio = ReadingBio(text);
  const ConfigPointer config(NCONF_new(nullptr));
  if (config == nullptr ||
      NCONF_load_bio(config.get(), bio.get(), nullptr) != 1 ||
      CONF_modules_load(config.get(), nullptr, 0) != 1) {
    return Refused(errors, "as system default");
  }
  return absl::OkStatus();
}

// That new contexts really begin with the profile.
absl::Status CheckIsDefault(const OpenSslErrors& errors) {
  const ContextPointer context(SSL_CTX_new(TLS_method()));
  if (context == nullptr) return Refused(errors, "no context");
  if (SSL_CTX_get_min_proto_version(context.get()) != TLS1_3_VERSION ||
      (SSL_CTX_get_options(context.get()) & SSL_OP_NO_TLSv1_2) == 0 ||
      SSL_CTX_get_security_level(context.get()) != 3 ||
      SSL_CTX_get_num_tickets(context.get()) != 0) {
    return absl::InternalError("OpenSSL does not apply the TLS profile");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyTlsProfile(SSL_CTX* context) {
  const OpenSslErrors errors;
  const CommandsPointer commands(SSL_CONF_CTX_new());
  if (commands == nullptr) return Refused(errors, "no commands");
  SSL_CONF_CTX_set_flags(commands.get(), SSL_CONF_FLAG_FILE |
                                             SSL_CONF_FLAG_CLIENT |
                                             SSL_CONF_FLAG_SERVER);
  SSL_CONF_CTX_set_ssl_ctx(commands.get(), context);
  for (const Setting& setting : kProfile) {
    if (SSL_CONF_cmd(commands.get(), setting.command, setting.value) <= 0) {
      return Refused(errors, setting.command);
    }
  }
  // What it carries over is what the library set before: a library's own upper
  // bound would end in no version at all.
  SSL_CTX_set_max_proto_version(context, 0);
  return absl::OkStatus();
}

absl::Status InstallTlsProfile() {
  const OpenSslErrors errors;
  // The machine's openssl.cnf first: read later, it would replace the profile.
  if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, nullptr) != 1) {
    return Refused(errors, "initialization");
  }
  RETURN_IF_ERROR(TryEach(errors));
  RETURN_IF_ERROR(MakeDefault(errors));
  return CheckIsDefault(errors);
}

}  // namespace schleuse
