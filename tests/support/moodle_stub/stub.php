<?php
// The little of Moodle that the script and the plugin's functions need, over PDO. Names and arguments are
// Moodle's (https://moodledev.io/docs/apis/core/dml), what is behind them is not.

namespace {

    define('SITEID', 1);

    class dml_exception extends Exception {
        public $errorcode;

        public function __construct(string $errorcode, string $message = '') {
            parent::__construct($message);
            $this->errorcode = $errorcode;
        }
    }

    class moodle_exception extends dml_exception {
    }

    class moodle_transaction {
        private $database;

        public function __construct(moodle_database $database) {
            $this->database = $database;
        }

        public function allow_commit(): void {
            $this->database->commit_delegated_transaction();
        }

        public function rollback(Throwable $e): void {
            $this->database->rollback_delegated_transaction();
            throw $e;
        }
    }

    class moodle_database {
        private $pdo;
        private $driver;
        private $depth = 0;

        public function __construct(string $dsn, string $user, string $password) {
            $this->driver = strstr($dsn, ':', true);
            $this->pdo = new PDO($dsn, $user, $password, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
                PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_OBJ]);
        }

        public function get_dbfamily(): string {
            return $this->driver === 'pgsql' ? 'postgres' : 'mysql';
        }

        public function get_dbvendor(): string {
            return $this->driver === 'pgsql' ? 'postgres' : 'mariadb';
        }

        // As Moodle does: READ COMMITTED, nested ones are counted, the outermost commits.

        public function start_delegated_transaction(): moodle_transaction {
            if ($this->depth++ === 0) {
                $this->pdo->exec($this->driver === 'pgsql' ? 'BEGIN ISOLATION LEVEL READ COMMITTED'
                    : 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
                $this->driver === 'pgsql' || $this->pdo->exec('START TRANSACTION');
            }
            return new moodle_transaction($this);
        }

        public function commit_delegated_transaction(): void {
            global $CFG;
            if (--$this->depth > 0) {
                return;
            }
            if (in_array('commit-fails', $CFG->trouble, true)) {
                throw new dml_exception('dmltransactionexception', 'gone away');
            }
            $this->run('COMMIT');
            if (in_array('dies-after-commit', $CFG->trouble, true)) {
                posix_kill(getmypid(), SIGKILL);
            }
        }

        public function rollback_delegated_transaction(): void {
            $this->depth = 0;
            $this->run('ROLLBACK');
        }

        // Reading and writing.

        private function run(string $sql, array $params = []): PDOStatement {
            global $CFG;
            try {
                $statement = $this->pdo->prepare(preg_replace('/\{(\w+)\}/', $CFG->prefix . '$1', $sql));
                $statement->execute(array_values($params));
                return $statement;
            } catch (PDOException $error) {
                throw new dml_exception('dmlwriteexception', $error->getMessage());
            }
        }

        private static function where(array $conditions): array {
            $parts = array_map(function ($name) {
                return "$name = ?";
            }, array_keys($conditions));
            return [$parts ? ' WHERE ' . implode(' AND ', $parts) : '', array_values($conditions)];
        }

        public function execute($sql, array $params = null): bool {
            $this->run($sql, $params ?? []);
            return true;
        }

        public function get_records_sql($sql, array $params = null): array {
            $rows = [];
            foreach ($this->run($sql, $params ?? [])->fetchAll() as $row) {
                $rows[$row->id] = $row;
            }
            return $rows;
        }

        public function get_records($table, array $conditions = null, $sort = ''): array {
            [$where, $params] = self::where($conditions ?? []);
            return $this->get_records_sql("SELECT * FROM {{$table}}$where" . ($sort ? " ORDER BY $sort" : ''), $params);
        }

        public function get_record($table, array $conditions) {
            $rows = $this->get_records($table, $conditions);
            return $rows ? reset($rows) : false;
        }

        public function get_field($table, $return, array $conditions) {
            $row = $this->get_record($table, $conditions);
            return $row ? $row->$return : false;
        }

        public function insert_record($table, $row): int {
            $known = $this->columns($table);
            $values = array_intersect_key((array) $row, array_flip($known));
            $marks = implode(', ', array_fill(0, count($values), '?'));
            $names = implode(', ', array_keys($values));
            $this->run("INSERT INTO {{$table}} ($names) VALUES ($marks)", $values);
            return (int) $this->pdo->lastInsertId();
        }

        private function columns(string $table): array {
            global $CFG;
            $found = $this->run('SELECT column_name AS name FROM information_schema.columns WHERE table_name = ?',
                [$CFG->prefix . $table])->fetchAll();
            return array_column($found, 'name');
        }

        public function set_field_select($table, $field, $value, $select, array $params): bool {
            return $this->execute("UPDATE {{$table}} SET $field = ? WHERE $select", array_merge([$value], $params));
        }

        public function delete_records_select($table, $select, array $params): bool {
            return $this->execute("DELETE FROM {{$table}} WHERE $select", $params);
        }
    }

    class context_module {
        public static function instance(int $module) {
            global $DB;
            return $DB->get_record('context', ['contextlevel' => 70, 'instanceid' => $module]);
        }
    }

    function get_coursemodule_from_instance($name, $instance, $course) {
        global $DB;
        $module = $DB->get_field('modules', 'id', ['name' => $name]);
        return $DB->get_record('course_modules', ['module' => $module, 'instance' => $instance, 'course' => $course]);
    }

    function get_config($plugin, $name) {
        global $DB;
        return $DB->get_field('config_plugins', 'value', ['plugin' => $plugin, 'name' => $name]);
    }

    function get_string($identifier, $component) {
        return "[[$identifier]]";
    }
}

namespace core\session {

    class manager {
        public static function set_user(\stdClass $user): void {
            global $USER;
            $USER = clone $user;
        }
    }
}

namespace mod_facetoface\event {

    class cancel_booking {
        private $fields;

        public static function create(array $fields): self {
            $event = new self();
            $event->fields = $fields;
            return $event;
        }

        public function add_record_snapshot(string $table, \stdClass $row): void {
            if (empty($row->id)) {
                throw new \moodle_exception('nosnapshot');
            }
        }

        public function trigger(): void {
            global $DB, $USER;
            $context = $this->fields['context'];
            $DB->insert_record('logstore_standard_log', [
                'eventname' => '\\' . self::class, 'component' => 'mod_facetoface', 'action' => 'booking',
                'target' => 'cancel', 'objecttable' => 'facetoface_sessions', 'objectid' => $this->fields['objectid'],
                'crud' => 'r', 'edulevel' => 2, 'contextid' => $context->id, 'contextlevel' => 70,
                'contextinstanceid' => $context->instanceid, 'userid' => $USER->id, 'anonymous' => 0,
                'timecreated' => time(), 'origin' => 'cli']);
        }
    }
}
