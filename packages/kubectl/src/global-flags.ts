/** The flags that every command takes. Mirrors: cli-runtime pkg/genericclioptions/config_flags.go */
import { flag, type FlagSpec } from "./flags.ts"

export const globalFlags: readonly FlagSpec[] = [
  flag.text(
    "as",
    "Username to impersonate for the operation. User could be a regular user or a service account in a namespace.",
  ),
  flag.array(
    "as-group",
    "Group to impersonate for the operation, this flag can be repeated to specify multiple groups.",
  ),
  flag.text("as-uid", "UID to impersonate for the operation."),
  flag.array(
    "as-user-extra",
    "User extras to impersonate for the operation, this flag can be repeated to specify multiple values for the same key.",
  ),
  flag.text("cache-dir", "Default cache directory"),
  flag.text("certificate-authority", "Path to a cert file for the certificate authority"),
  flag.text("client-certificate", "Path to a client certificate file for TLS"),
  flag.text("client-key", "Path to a client key file for TLS"),
  flag.text("cluster", "The name of the kubeconfig cluster to use"),
  flag.text("context", "The name of the kubeconfig context to use"),
  flag.bool("disable-compression", "If true, opt-out of response compression for all requests to the server"),
  flag.bool(
    "insecure-skip-tls-verify",
    "If true, the server's certificate will not be checked for validity. This will make your HTTPS connections insecure",
  ),
  flag.text("kubeconfig", "Path to the kubeconfig file to use for CLI requests."),
  flag.bool("match-server-version", "Require server version to match client version"),
  flag.text("namespace", {
    short: "n",
    help: "If present, the namespace scope for this CLI request",
  }),
  flag.text("password", "Password for basic authentication to the API server"),
  flag.text("request-timeout", {
    default: "0",
    help: "The length of time to wait before giving up on a single server request. Non-zero values should contain a corresponding time unit (e.g. 1s, 2m, 3h). A value of zero means don't timeout requests.",
  }),
  flag.text("server", { short: "s", help: "The address and port of the Kubernetes API server" }),
  flag.text(
    "tls-server-name",
    "Server name to use for server certificate validation. If it is not provided, the hostname used to contact the server is used",
  ),
  flag.text("token", "Bearer token for authentication to the API server"),
  flag.text("user", "The name of the kubeconfig user to use"),
  flag.text("username", "Username for basic authentication to the API server"),
  flag.int("v", { short: "v", help: "number for the log level verbosity" }),
  flag.bool(
    "warnings-as-errors",
    "Treat warnings received from the server as errors and exit with a non-zero exit code",
  ),
]
