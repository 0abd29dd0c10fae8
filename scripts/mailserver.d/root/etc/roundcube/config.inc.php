<?php
// Roundcube, whose bar shows what the IMAP server answers to GETQUOTAROOT.
$config = [];
include('/etc/roundcube/debian-db-roundcube.php');
$config['imap_host'] = '127.0.0.1:143';
$config['smtp_host'] = 'tls://127.0.0.1:587';
// The certificate is signed by itself.
$config['smtp_conn_options'] = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
$config['des_key'] = '@SESSION_KEY@';
$config['create_default_folders'] = true;
$config['plugins'] = [];
$config['skin'] = 'elastic';
