<?php
/**
 * Gives a seat in a face-to-face session back, through Moodle's own mod_facetoface.
 *
 * Runs on the Moodle host as a user who may do what the web server does, from the command line only. Says hello,
 * reads one line of JSON from standard input (or --request=JSON), and answers one line of JSON on standard output
 * after a line that says so; what PHP or Moodle print before does no harm. See docs/moodle-unregister.md.
 *
 *     php unregister.php --config=/var/www/moodle/config.php              one request from standard input
 *     php unregister.php --config=... --check                             is everything there? writes nothing
 *     php unregister.php --config=... --resolve --request='{...}'         what became of this request?
 *
 * Exit codes: 0 done, still there, or checked; 3 refused; 4 lost; 70 unknown, it may have happened; 75 nothing
 * was written, for a reason that is not the seat's.
 *
 * What the plugin's facetoface_user_cancel() does is done in its order, with its functions, in two halves. The
 * status and the calendar are written in one transaction, under locks on the rows of the sign-up, in which
 * everything is looked at once more; facetoface_user_cancel() by itself looks only whether the session has
 * begun, and takes whatever status is there. The waiting list, the mails and the event come after the commit,
 * as they do on the plugin's page: a mail server must not keep rows locked nor the deadline waiting. If this
 * plugin's function should do anything beyond that, the script notices and refuses to work.
 *
 * Met so far: PHP 8.2, stubs bearing the signatures of release 2024030700, the tables of a real Moodle 4.3 on
 * PostgreSQL 15 and MariaDB 10.11. Not met: a real Moodle.
 */

namespace ilt_reconciler;

if (PHP_SAPI !== 'cli') {
    exit(1);
}

define('CLI_SCRIPT', true);
define('NO_DEBUG_DISPLAY', true); // Notices belong into the log.

require_once(__DIR__ . '/unregister_seat.php');

/** Ends the work with an answer; whatever transaction is open is rolled back. */
final class verdict extends \Exception {
    /** @var string done, refused, lost, still-there, error, unknown, ready */
    public $outcome;
    /** @var string a code, never a name */
    public $why;
    /** @var array further members of the answer */
    public $more;

    public function __construct(string $outcome, string $why = '', array $more = []) {
        parent::__construct("$outcome: $why");
        $this->outcome = $outcome;
        $this->why = $why;
        $this->more = $more;
    }
}

/** The one answer of a run, and the lines around it. */
final class answer {
    private const EXITS = ['done' => 0, 'still-there' => 0, 'ready' => 0, 'refused' => 3, 'lost' => 4,
        'unknown' => 70, 'error' => 75];
    /** @var string of the request, so that no answer can be taken for that of another */
    public static $nonce = '-';
    /** @var bool whether rows may have changed */
    public static $writing = false;
    /** @var bool */
    private static $given = false;

    /** Whoever asks sends nothing before this: without it, nothing can have happened. */
    public static function hello(): void {
        self::line('hello');
    }

    /** Give the answer and end. */
    public static function give(verdict $verdict): void {
        self::$given = true;
        $fields = ['version' => 1, 'nonce' => self::$nonce, 'outcome' => $verdict->outcome, 'why' => $verdict->why,
            'now' => microtime(true)] + $verdict->more;
        self::line(self::$nonce . ' answer');
        fwrite(STDOUT, json_encode($fields, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
        fflush(STDOUT);
        exit(self::EXITS[$verdict->outcome]);
    }

    /** The last word of a run that somebody else ended: Moodle's exit(), or a fatal error. */
    public static function at_the_end(): void {
        if (!self::$given) {
            self::give(new verdict(self::$writing ? 'unknown' : 'error', 'ended-early'));
        }
    }

    private static function line(string $what): void {
        while (ob_get_level() > 0) {
            ob_end_flush();
        }
        fwrite(STDOUT, "\n@@ilt-reconciler $what\n");
        fflush(STDOUT);
    }
}

/** A request, every field of it of the right kind. Instants are unix seconds, UTC. */
final class request {
    private const LONGEST = 65536;
    /** @var string unregister, resolve, check, clock */
    public $op;
    /** @var string the site's identifier */
    public $account = '';
    /** @var int */
    public $person = 0;
    /** @var int */
    public $session = 0;
    /** @var int[] ids of the sign-up's current status rows, as they were seen */
    public $seats = [];
    /** @var array[] [start, finish] of each day, in order */
    public $days = [];
    /** @var float the session must not have begun by then */
    public $now = 0.0;
    /** @var float afterwards nothing may be written */
    public $deadline = 0.0;
    /** @var string names the evidence; kept in the status row's note */
    public $reference = '';

    public static function from_input(array $options): self {
        if (isset($options['check'])) {
            $raw = ['version' => 1, 'op' => 'check'];
        } else {
            $line = $options['request'] ?? fgets(STDIN, self::LONGEST);
            $raw = json_decode((string) $line, true);
        }
        if (!is_array($raw) || ($raw['version'] ?? null) !== 1) {
            throw new verdict('error', 'bad-request');
        }
        if (preg_match('/^[0-9a-f]{8,64}$/D', (string) ($raw['nonce'] ?? ''))) {
            answer::$nonce = $raw['nonce'];
        }
        return new self(isset($options['resolve']) ? 'resolve' : ($raw['op'] ?? ''), $raw);
    }

    private function __construct(string $op, array $raw) {
        $this->op = $op;
        if ($op === 'check' || $op === 'clock') {
            return;
        }
        $this->account = (string) ($raw['account'] ?? '');
        $this->person = self::number($raw['person'] ?? null);
        $this->session = self::number($raw['session'] ?? null);
        $this->seats = array_map([self::class, 'number'], self::some($raw['seats'] ?? null));
        foreach (self::some($raw['days'] ?? null) as $day) {
            if (!is_array($day) || count($day) !== 2 || !is_int($day[0]) || !is_int($day[1])) {
                throw new verdict('error', 'bad-request');
            }
            $this->days[] = [$day[0], $day[1]];
        }
        $this->now = (float) ($raw['now'] ?? INF);
        $this->deadline = (float) ($raw['deadline'] ?? 0);
        $this->reference = (string) ($raw['reference'] ?? '');
        $known = $op === 'unregister' || $op === 'resolve';
        if (!$known || !preg_match('/^[A-Za-z0-9._:-]{1,120}$/D', $this->reference)) {
            throw new verdict('error', 'bad-request');
        }
    }

    private static function some($list): array {
        if (!is_array($list) || !$list || count($list) > 1000) {
            throw new verdict('error', 'bad-request');
        }
        return array_values($list);
    }

    private static function number($id): int {
        if (!is_string($id) || !preg_match('/^[1-9][0-9]{0,17}$/D', $id)) {
            throw new verdict('error', 'bad-request');
        }
        return (int) $id;
    }

    /** What stands in the note of a status row that this request has written. */
    public function mark(): string {
        return "[ilt-reconciler {$this->reference}]";
    }
}

/** @return string[] what stands in the way, the plugin's part and the site's */
function site_problems(): array {
    global $CFG;
    $problems = plugin::problems();
    if (!is_writable($CFG->dataroot)) {
        $problems[] = 'this user may not write to the data directory, where the plugin puts its attachments';
    }
    return $problems;
}

/** One request, one verdict. */
function run(request $request): verdict {
    global $CFG;
    switch ($request->op) {
        case 'unregister':
            return (new seat($request))->give_back();
        case 'resolve':
            return (new seat($request))->resolve();
        case 'check':
            return new verdict('ready', '', ['problems' => site_problems(), 'account' => $CFG->siteidentifier,
                'plugin' => (string) get_config('mod_facetoface', 'version')]);
        default:
            return new verdict('ready');
    }
}

ignore_user_abort(true); // A wire that breaks must not stop the work in the middle.
register_shutdown_function([answer::class, 'at_the_end']);
answer::hello();
$ilt_options = getopt('', ['config:', 'request:', 'check', 'resolve']);
try {
    $ilt_request = request::from_input($ilt_options);
} catch (verdict $ilt_verdict) {
    answer::give($ilt_verdict);
}
if (!isset($ilt_options['config']) || !is_readable($ilt_options['config'])) {
    answer::give(new verdict('error', 'no-config'));
}

// Moodle's config.php expects to be at the top of a script.
require($ilt_options['config']);
if (!is_readable($CFG->dirroot . '/mod/facetoface/lib.php')) {
    answer::give(new verdict('error', 'no-plugin'));
}
require_once($CFG->dirroot . '/mod/facetoface/lib.php');
try {
    $ilt_verdict = run($ilt_request);
} catch (\Throwable $ilt_error) {
    $ilt_verdict = new verdict(answer::$writing ? 'unknown' : 'error', seat::code($ilt_error));
}
answer::give($ilt_verdict);
