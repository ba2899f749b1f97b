"""How people are mailed, from the settings: who writes, who carries, and where the links in mails lead."""

from __future__ import annotations

from datetime import datetime

from reconciler.errors import ConfigurationError
from reconciler.mail.compose import Composer
from reconciler.mail.letter import Mailbox
from reconciler.mail.smtp import Encryption, Server, Smtp
from reconciler.ports import LmsSource, MailsItself
from reconciler.post.posting import Posting
from reconciler.settings import Invitations, Mail, Settings
from reconciler.tokens.signing import Signer, link_keys


def posting_of(settings: Settings) -> Posting | None:
    """How people are mailed; ``None`` where nobody is. ``ConfigurationError`` for texts that do not work."""
    given = settings.mail
    if given is None:
        return None
    writer = composer_of(given)
    if problems := _of_texts(writer):
        raise ConfigurationError(problems)
    signer = _signer(settings)

    def answer_url(person: str, session: str | None, now: datetime) -> str | None:
        return signer.seat_link(person, session, now) if signer else None

    return Posting(
        writer=writer,
        carrier=Smtp(server_of(settings, given)),
        sender=Mailbox(given.from_name, given.from_address),
        invitations=given.invitations_in_force(settings.lms.adapter),
        coalesce=given.coalesce,
        daily_limit=given.daily_limit,
        answer_url=answer_url,
        pages_url=signer.public_url if signer else None,
        contact=given.reply_to or "",
    )


def _signer(settings: Settings) -> Signer | None:
    """Signs links to the pages, where there are some."""
    url = settings.installation.public_url
    if url is None:
        return None
    return Signer(url, link_keys([secret.path for secret in settings.tokens.key_files]))


def composer_of(given: Mail) -> Composer:
    """Who writes the messages."""
    sender = Mailbox(given.from_name, given.from_address)
    return Composer(sender, reply_to=given.reply_to, own=given.templates, language=given.language)


def server_of(settings: Settings, given: Mail) -> Server:
    """The SMTP server, as the settings speak of it."""
    network = settings.network
    return Server(
        host=given.host,
        port=given.port_in_force,
        encryption=Encryption(given.tls.value),
        hello=given.from_address.rpartition("@")[2],
        user=given.user,
        password=given.password_file.text if given.password_file else None,
        proxy=network.proxy if given.use_proxy else None,
        ca_file=str(network.ca_file) if network.ca_file else None,
        timeout=given.timeout.total_seconds(),
    )


def mail_problems(settings: Settings, online: bool) -> list[str]:
    """What is wrong with an operator's texts and, ``online``, with the way to the server."""
    given = settings.mail
    if given is None:
        return []
    found = _of_texts(composer_of(given))
    if online and (problem := Smtp(server_of(settings, given)).try_out()) is not None:
        found.append(f"mail.host: {problem}")
    return found


def _of_texts(writer: Composer) -> list[str]:
    return [f"mail.templates: {problem}" for problem in writer.check()]


def doubled(settings: Settings, lms: LmsSource) -> list[str]:
    """What an operator should know of the mails that the LMS sends itself; nothing where it sends none."""
    if settings.mail is None or not isinstance(lms, MailsItself):
        return []
    mails = lms.own_mails()
    given = settings.mail.invitations_in_force(settings.lms.adapter)
    on = [f"{activity}: {kinds}" for activity, kinds in mails.items() if kinds]
    off = [activity for activity, kinds in mails.items() if not kinds]
    told = [f"The LMS mails these itself (mail.invitations: {given}): {'; '.join(on)}."] if on else []
    if on and given is Invitations.ALL:
        told.append("Their learners get each invitation twice: choose gaps, or switch those mails off.")
    if off and given is Invitations.GAPS:
        told.append(f"Learners of these get no invitation from anybody: {'; '.join(off)}.")
    return told
