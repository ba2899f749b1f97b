<?php
/**
 * The part of unregister.php that knows mod_facetoface: whether the plugin is as known, and one seat.
 */

namespace ilt_reconciler;

/** What is known of the plugin, and whether this one is as known. */
final class plugin {
    private const NEEDED = [
        'facetoface_get_session' => 1,
        'facetoface_update_signup_status' => 4,
        'facetoface_remove_session_from_calendar' => 3,
        'facetoface_update_attendees' => 1,
        'facetoface_send_cancellation_notice' => 3,
        'facetoface_user_cancel' => 5,
        'facetoface_user_cancel_submission' => 3,
    ];
    /** Everything the two functions call whose work is done here in two halves. */
    private const CALLS = [
        'facetoface_user_cancel' => ['facetoface_has_session_started', 'facetoface_remove_session_from_calendar',
            'facetoface_update_attendees', 'facetoface_user_cancel_submission', 'get_string', 'time'],
        'facetoface_user_cancel_submission' => ['facetoface_update_signup_status', 'get_record'],
    ];

    private const CALLABLE = ['T_STRING', 'T_VARIABLE', 'T_NAME_QUALIFIED', 'T_NAME_FULLY_QUALIFIED',
        'T_NAME_RELATIVE'];

    /** @return string[] what this plugin lacks, or does beyond what is known */
    public static function problems(): array {
        $problems = [];
        foreach (self::NEEDED as $name => $parameters) {
            if (!function_exists($name)) {
                $problems[] = "the plugin has no $name()";
            } else if ((new \ReflectionFunction($name))->getNumberOfParameters() < $parameters) {
                $problems[] = "$name() takes fewer than $parameters arguments";
            }
        }
        $codes = ['MDL_F2F_STATUS_USER_CANCELLED' => 10, 'MDL_F2F_STATUS_BOOKED' => 70];
        foreach ($codes as $name => $code) {
            if (!defined($name) || (int) constant($name) !== $code) {
                $problems[] = "$name is not $code";
            }
        }
        return $problems ?: self::surprises();
    }

    private static function surprises(): array {
        $problems = [];
        foreach (self::CALLS as $name => $known) {
            foreach (array_diff(self::calls($name), $known) as $call) {
                $problems[] = "$name() also calls $call(), which is not known here";
            }
            foreach (array_diff($known, self::calls($name)) as $call) {
                $problems[] = "$name() does not call $call() any more";
            }
        }
        return $problems;
    }

    /** @return string[] the names of the functions and methods that a function calls */
    private static function calls(string $name): array {
        $function = new \ReflectionFunction($name);
        $first = $function->getStartLine();
        $lines = array_slice(file($function->getFileName()), $first - 1, $function->getEndLine() - $first + 1);
        $tokens = array_values(array_filter(token_get_all('<?php ' . implode('', $lines)), function ($token) {
            return !is_array($token) || !in_array($token[0], [T_WHITESPACE, T_COMMENT, T_DOC_COMMENT], true);
        }));
        $calls = [];
        for ($at = 1; $at + 1 < count($tokens); $at++) {
            $callable = is_array($tokens[$at])
                && in_array(token_name($tokens[$at][0]), self::CALLABLE, true);
            $declared = is_array($tokens[$at - 1]) && $tokens[$at - 1][0] === T_FUNCTION;
            if ($callable && !$declared && $tokens[$at + 1] === '(') {
                $calls[] = $tokens[$at][1];
            }
        }
        return array_values(array_unique($calls));
    }
}

/** Everything about one seat: the rows under lock, the judgement, the write. */
final class seat {
    private const WAIT_SECONDS = 5; // For a row that somebody else is writing.
    /** @var request */
    private $request;
    /** @var array[] the sign-up's status rows, oldest first, by sign-up */
    private $history = [];

    public function __construct(request $request) {
        $this->request = $request;
    }

    /** Look at everything once more, and write, in one transaction; then what comes after it. */
    public function give_back(): verdict {
        global $DB;
        if ($problems = plugin::problems()) {
            return new verdict('error', 'unknown-plugin', ['problems' => $problems]);
        }
        $transaction = $DB->start_delegated_transaction(); // Begun first, so that nothing is read from a replica.
        try {
            $this->limit_waits();
            $this->read(true);
            $this->right_site();
            $this->seats_as_seen();
            $session = $this->session_as_seen();
            $place = $this->place($session);
            $this->in_time();
            answer::$writing = true;
            $trace = $this->write($session);
            $this->in_time();
        } catch (\Throwable $stopped) {
            return self::rolled_back($transaction, $stopped);
        }
        try {
            $transaction->allow_commit();
        } catch (\Throwable $uncertain) {
            return new verdict('unknown', 'commit');
        }
        return new verdict('done', '', ['trace' => $trace, 'warnings' => $this->afterwards($session, $place)]);
    }

    /** What became of the request, by the rows: read in a transaction, so that it is no replica's. */
    public function resolve(): verdict {
        global $DB;
        $transaction = $DB->start_delegated_transaction();
        $this->read(false);
        $transaction->allow_commit();
        $this->right_site();
        if ($trace = $this->given_back()) {
            return new verdict('done', '', ['trace' => $trace]);
        }
        return $this->all_booked() ? new verdict('still-there') : new verdict('lost', 'other-seat');
    }

    // Reading.

    /** Nobody waits for long, and a run that is stopped in the middle is undone by the server. */
    private function limit_waits(): void {
        global $DB;
        $left = max(1, min(600, (int) ($this->request->deadline - microtime(true))));
        if ($DB->get_dbfamily() === 'postgres') {
            $DB->execute('SET LOCAL lock_timeout = ' . self::WAIT_SECONDS * 1000);
            $DB->execute('SET LOCAL idle_in_transaction_session_timeout = ' . $left * 1000);
        } else if ($DB->get_dbfamily() === 'mysql') {
            $DB->execute('SET SESSION innodb_lock_wait_timeout = ' . self::WAIT_SECONDS);
        }
        if ($DB->get_dbvendor() === 'mariadb') {
            $DB->execute("SET SESSION idle_write_transaction_timeout = $left");
        }
    }

    /** The person's sign-ups in the session with their whole history; locked, a new booking has to wait. */
    private function read(bool $lock): void {
        global $DB;
        $suffix = $lock ? ' FOR UPDATE' : '';
        $signups = $DB->get_records_sql('SELECT id FROM {facetoface_signups} WHERE sessionid = ? AND userid = ?'
            . " ORDER BY id$suffix", [$this->request->session, $this->request->person]);
        foreach ($signups as $signup) {
            $rows = $DB->get_records_sql('SELECT id, statuscode, superceded, note FROM {facetoface_signups_status}'
                . " WHERE signupid = ? ORDER BY id$suffix", [$signup->id]);
            $this->history[(int) $signup->id] = array_values($rows);
        }
    }

    /** Of the sign-up that a seat belongs to: [rows from the seat on, current row]; null if there is none. */
    private function story(int $seat): ?array {
        foreach ($this->history as $rows) {
            $since = array_values(array_filter($rows, function ($row) use ($seat) {
                return (int) $row->id >= $seat;
            }));
            if ($since && (int) $since[0]->id === $seat) {
                return [$since, self::current($rows)];
            }
        }
        return null;
    }

    /** Of a sign-up's rows the one that counts; two writers at once may leave two of them. */
    private static function current(array $rows): ?object {
        $current = array_filter($rows, function ($row) {
            return !(int) $row->superceded;
        });
        return end($current) ?: null;
    }

    /** Whether the sign-ups that are booked now are exactly those that were seen. */
    private function all_booked(): bool {
        $booked = 0;
        foreach ($this->history as $rows) {
            $current = self::current($rows);
            $booked += $current && (int) $current->statuscode === 70 ? 1 : 0;
        }
        if ($booked !== count($this->request->seats)) {
            return false;
        }
        foreach ($this->request->seats as $seat) {
            $current = $this->story($seat)[1] ?? null;
            if (!$current || (int) $current->id !== $seat || (int) $current->statuscode !== 70) {
                return false;
            }
        }
        return true;
    }

    /** The ids of the rows by which this very request has given all seats back; '' if it has not. */
    private function given_back(): string {
        $traces = [];
        foreach ($this->request->seats as $seat) {
            $ours = array_filter($this->story($seat)[0] ?? [], function ($row) use ($seat) {
                return (int) $row->id > $seat && (int) $row->statuscode === 10
                    && strpos((string) $row->note, $this->request->mark()) !== false;
            });
            if (!$ours) {
                return '';
            }
            $traces[] = reset($ours)->id;
        }
        return 'status ' . implode(', ', $traces);
    }

    // Judging: each throws a verdict unless all is well.

    /** A copy of the site must not be taken for the site. */
    private function right_site(): void {
        global $CFG;
        if ($this->request->account !== (string) $CFG->siteidentifier) {
            throw new verdict('error', 'other-site');
        }
    }

    private function seats_as_seen(): void {
        if ($trace = $this->given_back()) {
            throw new verdict('done', 'already', ['trace' => $trace]);
        }
        if ($this->all_booked()) {
            return;
        }
        foreach ($this->request->seats as $seat) {
            $current = $this->story($seat)[1] ?? null;
            if ($current && (int) $current->statuscode >= 80) {
                throw new verdict('refused', 'attended');
            }
        }
        throw new verdict('lost', 'other-seat');
    }

    private function session_as_seen(): object {
        $session = facetoface_get_session($this->request->session);
        if (!$session) {
            throw new verdict('lost', 'session-gone');
        }
        $days = array_map(function ($date) {
            return [(int) $date->timestart, (int) $date->timefinish];
        }, array_values($session->sessiondates));
        $seen = $this->request->days;
        sort($days);
        sort($seen);
        if (!(int) $session->datetimeknown || $days !== $seen) {
            throw new verdict('lost', 'other-days');
        }
        if ($days[0][0] <= max($this->request->now, microtime(true))) {
            throw new verdict('refused', 'begun');
        }
        if (!(int) $session->allowcancellations) {
            throw new verdict('refused', 'not-cancellable');
        }
        return $session;
    }

    /** Activity, course module and learner, as the plugin's page has them; the learner acts. */
    private function place(object $session): object {
        global $DB;
        $activity = $DB->get_record('facetoface', ['id' => $session->facetoface]);
        $module = $activity ? get_coursemodule_from_instance('facetoface', $activity->id, $activity->course) : false;
        $learner = $DB->get_record('user', ['id' => $this->request->person, 'deleted' => 0]);
        if (!$activity || !$module || !empty($module->deletioninprogress)) {
            throw new verdict('lost', 'session-gone');
        }
        if (!$learner) {
            throw new verdict('lost', 'other-seat');
        }
        \core\session\manager::set_user($learner); // Mails are written in the zone and language of whoever acts.
        return (object) ['activity' => $activity, 'module' => $module];
    }

    private function in_time(): void {
        if (microtime(true) >= $this->request->deadline) {
            throw new verdict('error', 'deadline');
        }
    }

    // Writing.

    private function write(object $session): string {
        $traces = [];
        foreach (array_keys($this->history) as $signup) {
            if (!$this->names($signup)) {
                continue;
            }
            $status = facetoface_update_signup_status($signup, MDL_F2F_STATUS_USER_CANCELLED, $this->request->person,
                'The event was deleted from the calendar ' . $this->request->mark());
            if (!$status) {
                throw new verdict('error', 'plugin');
            }
            $traces[] = $status;
        }
        facetoface_remove_session_from_calendar($session, 0, $this->request->person);
        return 'status ' . implode(', ', $traces);
    }

    private function names(int $signup): bool {
        foreach ($this->history[$signup] as $row) {
            if (in_array((int) $row->id, $this->request->seats, true)) {
                return true;
            }
        }
        return false;
    }

    private static function rolled_back(object $transaction, \Throwable $stopped): verdict {
        try {
            $transaction->rollback($stopped); // Moodle throws it again.
        } catch (\Throwable $again) {
            $stopped = $stopped instanceof verdict ? $stopped : $again;
        }
        return $stopped instanceof verdict ? $stopped : new verdict('error', self::code($stopped));
    }

    /** Waiting list, event and mails, in the order of the plugin's page. Nothing here undoes the rest. */
    private function afterwards(object $session, object $place): array {
        $steps = [
            'waits' => function () {
                global $DB;
                if ($DB->get_dbvendor() === 'mariadb') {
                    $DB->execute('SET SESSION idle_write_transaction_timeout = DEFAULT');
                }
            },
            'waiting-list' => function () use ($session) {
                return facetoface_update_attendees($session) ? '' : 'false';
            },
            'event' => function () use ($session, $place) {
                $event = \mod_facetoface\event\cancel_booking::create([
                    'context' => \context_module::instance($place->module->id), 'objectid' => $session->id]);
                $event->add_record_snapshot('facetoface_sessions', $session);
                $event->add_record_snapshot('facetoface', $place->activity);
                $event->trigger();
            },
            'notice' => function () use ($session, $place) {
                return facetoface_send_cancellation_notice($place->activity, $session, $this->request->person);
            },
        ];
        $warnings = [];
        foreach ($steps as $name => $step) {
            try {
                $problem = $step();
            } catch (\Throwable $failed) {
                $problem = self::code($failed);
            }
            if ($problem) {
                $warnings[] = "$name: $problem";
            }
        }
        return $warnings;
    }

    /** What went wrong, without a message: that may quote rows. */
    public static function code(\Throwable $error): string {
        $code = $error->errorcode ?? '';
        return substr(strrchr('\\' . get_class($error), '\\'), 1) . ($code ? " $code" : '');
    }
}
