<?php
// Stands for a site's config.php. What the site is like comes from the environment: STUB_DSN, STUB_USER and
// STUB_PASSWORD of its database, STUB_DATA (its data directory) and STUB_TROUBLE (what is wrong with it).

unset($CFG);
global $CFG, $DB, $USER;
$CFG = new stdClass();
$CFG->dirroot = __DIR__;
$CFG->dataroot = getenv('STUB_DATA');
$CFG->prefix = 'mdl_';
$CFG->trouble = explode(',', (string) getenv('STUB_TROUBLE'));
$USER = (object) ['id' => 0];

if (in_array('warning', $CFG->trouble, true)) {
    ini_set('display_errors', '1');
    echo $a_variable_that_nobody_has_set;
    echo '{"outcome": "done"}' . "\n";
}
if (in_array('ends-in-config', $CFG->trouble, true)) {
    echo "Error: Database connection failed\n";
    exit(1);
}
if (in_array('no-plugin', $CFG->trouble, true)) {
    $CFG->dirroot = '/nowhere';
}

require_once(__DIR__ . '/stub.php');

$DB = new moodle_database(getenv('STUB_DSN'), getenv('STUB_USER'), (string) getenv('STUB_PASSWORD'));
$CFG->siteidentifier = $DB->get_field('config', 'value', ['name' => 'siteidentifier']);
