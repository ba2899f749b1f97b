"""YAML -> typed, frozen settings; every problem at once, with its place in the file."""

from reconciler.model import Invitations, MultiDay, UnregisterMode
from reconciler.settings.databases import Lms, LmsAdapter, MoodleOptions, ReferenceOptions, State
from reconciler.settings.dispatching import DispatchKind
from reconciler.settings.loading import load, needs_restart
from reconciler.settings.mail import Mail, Tls
from reconciler.settings.pages import LaunchKey, Web
from reconciler.settings.sections import AccountDefaults, Settings, Visibility
from reconciler.settings.values import Listen, SecretFile
from reconciler.settings.vendors import Cloud, Google, Microsoft

__all__ = [
    "AccountDefaults",
    "Cloud",
    "DispatchKind",
    "Google",
    "Invitations",
    "LaunchKey",
    "Listen",
    "Lms",
    "LmsAdapter",
    "Mail",
    "Microsoft",
    "MoodleOptions",
    "MultiDay",
    "ReferenceOptions",
    "SecretFile",
    "Settings",
    "State",
    "Tls",
    "UnregisterMode",
    "Visibility",
    "Web",
    "load",
    "needs_restart",
]
