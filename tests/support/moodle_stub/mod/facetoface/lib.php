<?php
// The functions of mod_facetoface that giving a seat back needs, with the signatures of release 2024030700 and
// the effects that were measured on a running site. Written for tests; mails go into a file.

define('MDL_F2F_STATUS_USER_CANCELLED', 10);
define('MDL_F2F_STATUS_WAITLISTED', 60);
define('MDL_F2F_STATUS_BOOKED', in_array('other-codes', $CFG->trouble, true) ? 71 : 70);

function stub_mail(string $kind, int $userid): void {
    global $CFG, $USER;
    if (in_array("$kind-fails", $CFG->trouble, true)) {
        throw new moodle_exception('cannotsend');
    }
    $line = json_encode(['kind' => $kind, 'to' => $userid, 'acting' => (int) $USER->id]);
    file_put_contents($CFG->dataroot . '/mails', "$line\n", FILE_APPEND);
}

function facetoface_get_session($sessionid) {
    global $DB;
    $found = $DB->get_record('facetoface_sessions', ['id' => $sessionid]);
    if ($found) {
        $found->sessiondates = array_values(
            $DB->get_records('facetoface_sessions_dates', ['sessionid' => $sessionid], 'timestart'));
    }
    return $found;
}

function facetoface_has_session_started($session, $timenow) {
    $starts = array_column($session->sessiondates, 'timestart');
    return $session->datetimeknown && $starts && min($starts) < $timenow;
}

function facetoface_update_signup_status($signupid, $statuscode, $createdby, $note='', $grade=null) {
    global $DB, $CFG;
    $transaction = $DB->start_delegated_transaction();
    $id = $DB->insert_record('facetoface_signups_status', ['signupid' => $signupid, 'statuscode' => $statuscode,
        'superceded' => 0, 'grade' => $grade, 'note' => $note, 'createdby' => $createdby, 'timecreated' => time()]);
    if (in_array('dies-while-writing', $CFG->trouble, true)) {
        exit(1);
    }
    if (in_array('slow-write', $CFG->trouble, true)) {
        usleep(1500000);
    }
    if (in_array('throws-while-writing', $CFG->trouble, true)) {
        throw new moodle_exception('broken');
    }
    $DB->set_field_select('facetoface_signups_status', 'superceded', 1,
        'signupid = ? AND superceded = 0 AND id <> ?', [$signupid, $id]);
    $transaction->allow_commit();
    return $id;
}

function facetoface_user_cancel_submission($sessionid, $userid, $cancelreason='') {
    global $DB;
    $own = $DB->get_record('facetoface_signups', ['sessionid' => $sessionid, 'userid' => $userid]);
    return !$own || facetoface_update_signup_status($own->id, MDL_F2F_STATUS_USER_CANCELLED, $userid, $cancelreason);
}

if (in_array('other-plugin', $CFG->trouble, true)) {

    function stub_also_refunds_the_price($session) {
    }

    function facetoface_user_cancel($session, $userid=false, $forcecancel=false, &$errorstr=null, $cancelreason='') {
        stub_also_refunds_the_price($session);
        if (!$forcecancel && facetoface_has_session_started($session, time())) {
            $errorstr = get_string('error:eventoccurred', 'facetoface');
            return false;
        }
        facetoface_user_cancel_submission($session->id, $userid, $cancelreason);
        facetoface_remove_session_from_calendar($session, 0, $userid);
        return (bool) facetoface_update_attendees($session);
    }
} else {

    function facetoface_user_cancel($session, $userid=false, $forcecancel=false, &$errorstr=null, $cancelreason='') {
        if (!$forcecancel && facetoface_has_session_started($session, time())) {
            $errorstr = get_string('error:eventoccurred', 'facetoface');
            return false;
        }
        facetoface_user_cancel_submission($session->id, $userid, $cancelreason);
        facetoface_remove_session_from_calendar($session, 0, $userid);
        return (bool) facetoface_update_attendees($session);
    }
}

function facetoface_remove_session_from_calendar($session, $courseid=0, $userid=0) {
    global $DB;
    return $DB->delete_records_select('event',
        "modulename = '0' AND instance = ? AND courseid = ? AND userid = ? AND uuid = ?",
        [$session->facetoface, $courseid, $userid, (string) $session->id]);
}

function facetoface_update_attendees($session) {
    global $DB;
    $taken = 'SELECT su.id, su.userid, ss.statuscode FROM {facetoface_signups} su JOIN {facetoface_signups_status} ss'
        . ' ON ss.signupid = su.id AND ss.superceded = 0 WHERE su.sessionid = ? AND ss.statuscode >= ? ORDER BY ss.id';
    $people = $DB->get_records_sql($taken, [$session->id, MDL_F2F_STATUS_WAITLISTED]);
    $waiting = array_filter($people, function ($one) {
        return (int) $one->statuscode === MDL_F2F_STATUS_WAITLISTED;
    });
    $free = $session->capacity - (count($people) - count($waiting));
    foreach (array_slice($waiting, 0, max(0, $session->datetimeknown ? $free : 0)) as $next) {
        facetoface_update_signup_status($next->id, MDL_F2F_STATUS_BOOKED, $next->userid);
        stub_mail('confirmation', (int) $next->userid);
    }
    return $session->id;
}

function facetoface_send_cancellation_notice($facetoface, $session, $userid) {
    global $CFG;
    if (in_array('notice-slow', $CFG->trouble, true)) {
        sleep(600);
    }
    if ($facetoface->cancellationsubject) {
        stub_mail('cancellation', (int) $userid);
    }
    return '';
}
